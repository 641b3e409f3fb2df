//go:build gpu

#include "launchers.h"

const gpu_kernel gpu_kernels[K_COUNT] = {
	[K_ADD] = {launch_add, NULL},
	[K_HEAD_LOSS] = {launch_head_loss, head_loss_workspace},
};
