//go:build gpu

#include "cut.h"
#include "launchers.h"

enum { THREADS = 256 };

CUresult launch_embed(gpu *g, const atoll_call *c, const CUdeviceptr *arg) {
	enum { OUT, TOKENS, WTE, WPE, START };
	CUdeviceptr out = arg[OUT], tokens = arg[TOKENS], wte = arg[WTE], wpe = arg[WPE], start = arg[START], fault = gpu_faults(g);
	int64_t rows = c->dims[0] * c->dims[1], V = c->dims[3], P = c->dims[4];
	if (rows == 0) return CUDA_SUCCESS;
	if (rows > MOST || c->dims[2] > MOST) return CUDA_ERROR_INVALID_VALUE;
	CUdeviceptr address[] = {out, wte, wpe};
	int N = (int)rows, T = (int)c->dims[1], C = (int)c->dims[2], call = gpu_call_index(g);
	const char *stem = whole_packs(C, c->precision) && aligned(address, 3) ? "embed_wide" : "embed";
	char room[GPU_NAME_BYTES];
	void *params[] = {&out, &tokens, &wte, &wpe, &start, &V, &P, &N, &T, &C, &fault, &call};
	return gpu_launch(g, gpu_name(room, stem, c->precision), spread(g, N, THREADS / 32), THREADS, 0, params);
}
