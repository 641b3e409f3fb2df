//go:build gpu

#include "cut.h"
#include "launchers.h"

enum { THREADS = 256, PER_THREAD = 8 };

CUresult launch_dropout(gpu *g, const atoll_call *c, const CUdeviceptr *arg) {
	enum { Y, X, RES, SEED };
	CUdeviceptr y = arg[Y], x = arg[X], res = arg[RES], seed = arg[SEED];
	int64_t n = c->dims[0];
	if (n == 0) return CUDA_SUCCESS;
	uint32_t salt = (uint32_t)c->dims[1];
	float p = c->scalars[0];
	int wide = aligned(arg, 3);
	char room[GPU_NAME_BYTES];
	void *params[] = {&y, &x, &res, &seed, &n, &salt, &p, &wide};
	return gpu_launch(g, gpu_name(room, "dropout", c->precision), spread(g, n, THREADS * PER_THREAD), THREADS, 0, params);
}
