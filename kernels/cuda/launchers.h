// Every launcher and workspace function, in the order of the kernels' numbers.
#ifndef ATOLL_LAUNCHERS_H
#define ATOLL_LAUNCHERS_H

#include "launch.h"

gpu_launcher launch_add;
gpu_launcher launch_head_loss;
gpu_workspace head_loss_workspace;

#endif
