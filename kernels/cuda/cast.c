//go:build gpu

#include "cut.h"
#include "product.h"

enum { THREADS = 256, PER_THREAD = 8 };

CUresult gpu_cast(gpu *g, CUdeviceptr to, CUdeviceptr from, int64_t rows, int64_t columns, int64_t to_stride, int64_t from_stride,
	uint32_t type) {
	if (rows == 0 || columns == 0) return CUDA_SUCCESS;
	int width = (int)columns, wide = ((from | (CUdeviceptr)from_stride * 4) & 15) == 0 && columns % 8 == 0;
	char room[GPU_NAME_BYTES];
	void *params[] = {&to, &from, &rows, &width, &to_stride, &from_stride, &wide};
	return gpu_launch(g, gpu_name(room, "cast", type), spread(g, rows * pieces(columns, PER_THREAD), THREADS), THREADS, 0, params);
}
