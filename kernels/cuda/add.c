//go:build gpu

#include "launchers.h"

enum { THREADS = 256, PER_THREAD = 8 };

// One kernel reads 16 bytes at a time, so all three addresses must be multiples of 16; another takes what is left.
static int aligned(const CUdeviceptr *arg) { return ((arg[0] | arg[1] | arg[2]) & 15) == 0; }

CUresult launch_add(gpu *g, const atoll_call *c, const CUdeviceptr *arg) {
	enum { OUT, A, B };
	CUdeviceptr out = arg[OUT], a = arg[A], b = arg[B];
	int64_t n = c->dims[0];
	if (n == 0) return CUDA_SUCCESS;
	int wide = aligned(arg);
	char room[GPU_NAME_BYTES];
	void *params[] = {&out, &a, &b, &n, &wide};
	int64_t blocks = (n + THREADS * PER_THREAD - 1) / (THREADS * PER_THREAD);
	int64_t most = (int64_t)gpu_processors(g) * 16;
	gpu_grid grid = {(unsigned)(blocks < most ? blocks : most), 1, 1};
	return gpu_launch(g, gpu_name(room, "add", c->precision), grid, THREADS, 0, params);
}
