//go:build gpu

#include "launchers.h"

// Without pack and linear.packed: products on a GPU read weights as they are.

const gpu_kernel gpu_kernels[K_COUNT] = {
	[K_EMBED] = {launch_embed, NULL},
	[K_EMBED_BACKWARD] = {launch_embed_backward, embed_backward_workspace},
	[K_LAYERNORM] = {launch_layernorm, NULL},
	[K_LAYERNORM_BACKWARD] = {launch_layernorm_backward, layernorm_backward_workspace},
	[K_LINEAR] = {launch_linear, linear_workspace},
	[K_LINEAR_DX] = {launch_linear_dx, linear_dx_workspace},
	[K_LINEAR_DW] = {launch_linear_dw, linear_dw_workspace},
	[K_ATTENTION] = {launch_attention, NULL},
	[K_ATTENTION_BACKWARD] = {launch_attention_backward, attention_backward_workspace},
	[K_ATTENTION_CACHED] = {launch_attention_cached, attention_cached_workspace},
	[K_ADD] = {launch_add, NULL},
	[K_DROPOUT] = {launch_dropout, NULL},
	[K_HEAD_LOSS] = {launch_head_loss, head_loss_workspace},
	[K_POOL] = {launch_pool, NULL},
	[K_POOL_BACKWARD] = {launch_pool_backward, NULL},
	[K_CLASS_LOSS] = {launch_class_loss, losses_workspace},
	[K_BINARY_LOSS] = {launch_binary_loss, losses_workspace},
	[K_GRAD_NORM] = {launch_grad_norm, grad_norm_workspace},
	[K_ADAMW] = {launch_adamw, NULL},
	[K_GELU_BACKWARD] = {launch_gelu_backward, NULL},
	[K_GELU] = {launch_gelu, NULL},
};
