//go:build gpu

#include "cut.h"
#include "launchers.h"

enum { THREADS = 256 };

CUresult launch_pool(gpu *g, const atoll_call *c, const CUdeviceptr *arg) {
	enum { OUT, X, LENGTHS };
	CUdeviceptr out = arg[OUT], x = arg[X], lengths = arg[LENGTHS], fault = gpu_faults(g);
	int64_t B = c->dims[0];
	if (B == 0) return CUDA_SUCCESS;
	if (B > MOST || c->dims[1] > MOST || c->dims[2] > MOST) return CUDA_ERROR_INVALID_VALUE;
	int T = (int)c->dims[1], C = (int)c->dims[2], call = gpu_call_index(g);
	int wide = whole_packs(C, c->precision) && aligned(arg, 2);
	char room[GPU_NAME_BYTES];
	void *params[] = {&out, &x, &lengths, &T, &C, &fault, &call, &wide};
	unsigned threads = threads_for(pieces(C, 4), THREADS);
	return gpu_launch(g, gpu_name(room, "pool", c->precision), (gpu_grid){(unsigned)B, 1, 1}, threads, 0, params);
}

CUresult launch_pool_backward(gpu *g, const atoll_call *c, const CUdeviceptr *arg) {
	enum { DX, DOUT, LENGTHS };
	CUdeviceptr dx = arg[DX], dout = arg[DOUT], lengths = arg[LENGTHS], fault = gpu_faults(g);
	int64_t rows = c->dims[0] * c->dims[1];
	if (rows == 0) return CUDA_SUCCESS;
	if (rows > MOST || c->dims[2] > MOST) return CUDA_ERROR_INVALID_VALUE;
	int N = (int)rows, T = (int)c->dims[1], C = (int)c->dims[2], call = gpu_call_index(g);
	int wide = whole_packs(C, c->precision) && aligned(arg, 2);
	char room[GPU_NAME_BYTES];
	void *params[] = {&dx, &dout, &lengths, &N, &T, &C, &fault, &call, &wide};
	return gpu_launch(g, gpu_name(room, "pool_backward", c->precision), spread(g, N, THREADS / 32), THREADS, 0, params);
}
