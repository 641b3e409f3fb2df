//go:build gpu

#include "cut.h"
#include "launchers.h"

enum { THREADS = 512, ROOM = 32 * sizeof(double) };

// The workspace holds the loss of every row in double.
size_t losses_workspace(const gpu *g, const atoll_call *c) {
	(void)g;
	return whole_256(c->dims[0] * (int64_t)sizeof(double));
}

// sum_rows queues the sum of B rows.
static CUresult sum_rows(gpu *g, CUdeviceptr loss, CUdeviceptr totals, int B, int mode, CUdeviceptr step) {
	void *params[] = {&loss, &totals, &B, &mode, &step};
	return gpu_launch(g, "loss_of_rows", (gpu_grid){1, 1, 1}, threads_for(B, THREADS), ROOM, params);
}

CUresult launch_class_loss(gpu *g, const atoll_call *c, const CUdeviceptr *arg) {
	enum { LOSS, ROWS, DLOGITS, LOGITS, LABELS, WEIGHTS, STEP };
	CUdeviceptr rows = arg[ROWS], dlogits = arg[DLOGITS], logits = arg[LOGITS], labels = arg[LABELS], weights = arg[WEIGHTS];
	CUdeviceptr totals = gpu_scratch(g), step = arg[STEP], fault = gpu_faults(g);
	if (c->dims[0] > MOST || c->dims[1] > MOST) return CUDA_ERROR_INVALID_VALUE;
	int B = (int)c->dims[0], K = (int)c->dims[1], call = gpu_call_index(g);
	void *params[] = {&totals, &rows, &dlogits, &logits, &labels, &weights, &K, &step, &fault, &call};
	CUresult e = CUDA_SUCCESS;
	if (B > 0) e = gpu_launch(g, "class_loss_rows", (gpu_grid){(unsigned)B, 1, 1}, threads_for(K, THREADS), ROOM, params);
	return e ? e : sum_rows(g, arg[LOSS], totals, B, (int)c->dims[2], step);
}

CUresult launch_binary_loss(gpu *g, const atoll_call *c, const CUdeviceptr *arg) {
	enum { LOSS, ROWS, DLOGITS, LOGITS, TARGETS, WEIGHTS, STEP };
	CUdeviceptr rows = arg[ROWS], dlogits = arg[DLOGITS], logits = arg[LOGITS], targets = arg[TARGETS], weights = arg[WEIGHTS];
	CUdeviceptr totals = gpu_scratch(g), step = arg[STEP];
	if (c->dims[0] > MOST || c->dims[1] > MOST) return CUDA_ERROR_INVALID_VALUE;
	int B = (int)c->dims[0], K = (int)c->dims[1];
	void *params[] = {&totals, &rows, &dlogits, &logits, &targets, &weights, &K, &step};
	CUresult e = CUDA_SUCCESS;
	if (B > 0) e = gpu_launch(g, "binary_loss_rows", (gpu_grid){(unsigned)B, 1, 1}, threads_for(K, THREADS), ROOM, params);
	return e ? e : sum_rows(g, arg[LOSS], totals, B, (int)c->dims[2], step);
}
