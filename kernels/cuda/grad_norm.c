//go:build gpu

#include "cut.h"
#include "launchers.h"

enum { THREADS = 256, PIECE = 64 * THREADS, MOST_THREADS = 1024, ROOM = 32 * sizeof(double) };

// The workspace holds the sum of every piece in double.
size_t grad_norm_workspace(const gpu *g, const atoll_call *c) {
	(void)g;
	return whole_256(pieces(c->dims[0], PIECE) * (int64_t)sizeof(double));
}

CUresult launch_grad_norm(gpu *g, const atoll_call *c, const CUdeviceptr *arg) {
	enum { NORM, GRADS };
	CUdeviceptr norm = arg[NORM], grads = arg[GRADS], sums = gpu_scratch(g);
	int64_t n = c->dims[0], count = pieces(n, PIECE);
	int wide = aligned(&grads, 1);
	void *params[] = {&sums, &grads, &n, &wide};
	CUresult e = CUDA_SUCCESS;
	if (count > 0) e = gpu_launch(g, "grad_norm_pieces", (gpu_grid){(unsigned)count, 1, 1}, THREADS, ROOM, params);
	void *root[] = {&norm, &sums, &count};
	return e ? e : gpu_launch(g, "grad_norm_root", (gpu_grid){1, 1, 1}, threads_for(count, MOST_THREADS), ROOM, root);
}
