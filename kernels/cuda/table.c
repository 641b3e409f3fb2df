//go:build gpu

#include "launchers.h"

const gpu_kernel gpu_kernels[K_COUNT] = {
	[K_ATTENTION] = {launch_attention, NULL},
	[K_ATTENTION_BACKWARD] = {launch_attention_backward, attention_backward_workspace},
	[K_ATTENTION_CACHED] = {launch_attention_cached, attention_cached_workspace},
	[K_ADD] = {launch_add, NULL},
};
