// How a run takes inputs that were handed over ahead, for run.c.
#ifndef ATOLL_CUDA_STAGING_H
#define ATOLL_CUDA_STAGING_H

#include "gpu.h"

// gpu_staging_take queues the copy of a run's inputs to their place: from the area that waits, or from the host's side of the
// exchange where none does.
CUresult gpu_staging_take(gpu *g, const gpu_exchange *x);

#endif
