//go:build gpu

#include "launchers.h"

const gpu_kernel gpu_kernels[K_COUNT] = {
	[K_LINEAR] = {launch_linear, linear_workspace},
	[K_LINEAR_DX] = {launch_linear_dx, linear_dx_workspace},
	[K_LINEAR_DW] = {launch_linear_dw, linear_dw_workspace},
	[K_ADD] = {launch_add, NULL},
};
