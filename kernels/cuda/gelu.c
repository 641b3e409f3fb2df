//go:build gpu

#include "cut.h"
#include "launchers.h"

enum { THREADS = 256, PER_THREAD = 8 };

CUresult launch_gelu(gpu *g, const atoll_call *c, const CUdeviceptr *arg) {
	enum { OUT, PRE };
	CUdeviceptr out = arg[OUT], pre = arg[PRE];
	int64_t n = c->dims[0];
	if (n == 0) return CUDA_SUCCESS;
	int wide = aligned(arg, 2);
	char room[GPU_NAME_BYTES];
	void *params[] = {&out, &pre, &n, &wide};
	return gpu_launch(g, gpu_name(room, "gelu", c->precision), spread(g, n, THREADS * PER_THREAD), THREADS, 0, params);
}

CUresult launch_gelu_backward(gpu *g, const atoll_call *c, const CUdeviceptr *arg) {
	enum { DPRE, DY, PRE };
	CUdeviceptr dpre = arg[DPRE], dy = arg[DY], pre = arg[PRE];
	int64_t n = c->dims[0];
	if (n == 0) return CUDA_SUCCESS;
	int wide = aligned(arg, 3);
	char room[GPU_NAME_BYTES];
	void *params[] = {&dpre, &dy, &pre, &n, &wide};
	return gpu_launch(g, gpu_name(room, "gelu_backward", c->precision), spread(g, n, THREADS * PER_THREAD), THREADS, 0, params);
}
