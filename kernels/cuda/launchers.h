// Every launcher and workspace function, in the order of the kernels' numbers.
#ifndef ATOLL_LAUNCHERS_H
#define ATOLL_LAUNCHERS_H

#include "launch.h"

gpu_launcher launch_embed;
gpu_launcher launch_embed_backward;
gpu_workspace embed_backward_workspace;
gpu_launcher launch_layernorm;
gpu_launcher launch_layernorm_backward;
gpu_workspace layernorm_backward_workspace;
gpu_launcher launch_linear;
gpu_workspace linear_workspace;
gpu_launcher launch_linear_dx;
gpu_workspace linear_dx_workspace;
gpu_launcher launch_linear_dw;
gpu_workspace linear_dw_workspace;
gpu_launcher launch_attention;
gpu_launcher launch_attention_backward;
gpu_workspace attention_backward_workspace;
gpu_launcher launch_attention_cached;
gpu_workspace attention_cached_workspace;
gpu_launcher launch_add;
gpu_launcher launch_dropout;
gpu_launcher launch_head_loss;
gpu_workspace head_loss_workspace;
gpu_launcher launch_pool;
gpu_launcher launch_pool_backward;
gpu_launcher launch_class_loss;
gpu_launcher launch_binary_loss;
gpu_workspace losses_workspace;
gpu_launcher launch_grad_norm;
gpu_workspace grad_norm_workspace;
gpu_launcher launch_adamw;
gpu_launcher launch_gelu_backward;
gpu_launcher launch_gelu;

#endif
