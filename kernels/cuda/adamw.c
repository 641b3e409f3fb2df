//go:build gpu

#include "cut.h"
#include "launchers.h"

enum { THREADS = 256, PER_THREAD = 4 };

CUresult launch_adamw(gpu *g, const atoll_call *c, const CUdeviceptr *arg) {
	enum { WEIGHTS, M, V, GRADS, NORM, LOSS, STEP, SEED };
	CUdeviceptr weights = arg[WEIGHTS], m = arg[M], v = arg[V], grads = arg[GRADS];
	CUdeviceptr norm = arg[NORM], loss = arg[LOSS], step = arg[STEP], seed = arg[SEED];
	int64_t n = c->dims[0];
	if (n == 0) return CUDA_SUCCESS;
	float beta1 = c->scalars[0], beta2 = c->scalars[1], epsilon = c->scalars[2], decay = c->scalars[3], clip = c->scalars[4];
	int wide = aligned(arg, 4);
	uint32_t salt = (uint32_t)c->dims[1];
	void *params[] = {&weights, &m, &v, &grads, &norm, &loss, &step, &n, &beta1, &beta2, &epsilon, &decay, &clip, &wide, &seed, &salt};
	return gpu_launch(g, seed ? "adamw_update_rounded" : "adamw_update", spread(g, n, THREADS * PER_THREAD), THREADS, 0, params);
}
