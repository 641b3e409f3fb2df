// Every launcher and workspace function, in the order of the kernels' numbers.
#ifndef ATOLL_LAUNCHERS_H
#define ATOLL_LAUNCHERS_H

#include "launch.h"

gpu_launcher launch_attention;
gpu_launcher launch_attention_backward;
gpu_workspace attention_backward_workspace;
gpu_launcher launch_attention_cached;
gpu_workspace attention_cached_workspace;
gpu_launcher launch_add;

#endif
