// How a sum is stored where a part of it may lie already: enum atoll_mode.
#pragma once

#include "device.cuh"

// accumulates says whether a sum of this mode is added to what is there.
static __device__ inline bool accumulates(int mode, const float *step) {
	return mode == MODE_ACCUMULATE || (mode == MODE_BY_STEP && step[STEP_ACCUMULATE] != 0);
}
