//go:build gpu

#include "cut.h"
#include "product.h"

enum { THREADS = 256, PER_THREAD = 8 };

CUresult gpu_cast(gpu *g, CUdeviceptr out, CUdeviceptr in, int64_t n, uint32_t type) {
	if (n == 0) return CUDA_SUCCESS;
	int wide = ((out | in) & 15) == 0;
	char room[GPU_NAME_BYTES];
	void *params[] = {&out, &in, &n, &wide};
	return gpu_launch(g, gpu_name(room, "cast_f32", type), spread(g, n, THREADS * PER_THREAD), THREADS, 0, params);
}
