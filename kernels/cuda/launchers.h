// Every launcher and workspace function, in the order of the kernels' numbers.
#ifndef ATOLL_LAUNCHERS_H
#define ATOLL_LAUNCHERS_H

#include "launch.h"

gpu_launcher launch_linear;
gpu_workspace linear_workspace;
gpu_launcher launch_linear_dx;
gpu_workspace linear_dx_workspace;
gpu_launcher launch_linear_dw;
gpu_workspace linear_dw_workspace;
gpu_launcher launch_add;

#endif
