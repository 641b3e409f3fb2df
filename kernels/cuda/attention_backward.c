//go:build gpu

#include <stdio.h>

#include "attention.h"
#include "launchers.h"

// delta, [B,H,T] floats, passes from the kernel that owns queries to the one that owns keys.
size_t attention_backward_workspace(const gpu *g, const atoll_call *c) {
	(void)g;
	size_t floats = (size_t)(c->dims[0] * c->dims[1] * c->dims[3]);
	return (floats * 4 + 255) / 256 * 256;
}

enum { DQKV, DOUT, QKV, OUT, LSE, LENGTHS, SEED };

// launch queues one of the two kernels, for blocks of so many rows. z is for heads in several parts.
static CUresult launch(gpu *g, attention_gradient *a, const char *stem, int rows, int z, unsigned shared) {
	CUdeviceptr faults = gpu_faults(g);
	int call = gpu_call_index(g);
	char name[GPU_NAME_BYTES];
	void *params[] = {&a->dqkv, &a->dout, &a->qkv, &a->out, &a->lse, &a->delta, &a->lengths, &a->seed, &a->shape, &faults, &call};
	return gpu_launch(g, gpu_name(name, stem, a->precision), attention_blocks(&a->shape, a->B, rows, z), ATTENTION_THREADS,
		shared, params);
}

static CUresult launch_plain(gpu *g, attention_gradient *a) {
	int parts = (a->shape.D + PLAIN_GRADIENT_WIDTH - 1) / PLAIN_GRADIENT_WIDTH;
	if (parts == 0) parts = 1;
	CUresult e = launch(g, a, "attention_backward_queries_plain", PLAIN_EDGE, parts, PLAIN_SHARED);
	return e ? e : launch(g, a, "attention_backward_keys_plain", PLAIN_EDGE, parts, PLAIN_SHARED);
}

CUresult launch_attention_backward(gpu *g, const atoll_call *c, const CUdeviceptr *arg) {
	if (c->dims[0] == 0) return CUDA_SUCCESS;
	if (!attention_fits(c->dims[1], c->dims[1])) return CUDA_ERROR_INVALID_VALUE;
	attention_gradient a = {.dqkv = arg[DQKV], .dout = arg[DOUT], .qkv = arg[QKV], .out = arg[OUT], .lse = arg[LSE],
		.delta = gpu_scratch(g), .lengths = arg[LENGTHS], .seed = arg[SEED], .shape = attention_packed(c), .B = c->dims[0],
		.precision = c->precision};
	a.shape.wide = attention_wide(&a.shape, a.precision, arg, LSE);
	if (attention_hopper_suits_gradient(g, &a)) return attention_hopper_gradient(g, &a);
	if (a.precision == DT_F32 || a.shape.D > ATTENTION_WIDEST) return launch_plain(g, &a);
	int W = ATTENTION_WIDTH(a.shape.D);
	char stem[GPU_NAME_BYTES];
	snprintf(stem, sizeof stem, "attention_backward_queries_%d", W);
	CUresult e = launch(g, &a, stem, ATTENTION_WARPS * QUERIES_OWN(W), 1, QUERIES_SHARED(W));
	if (e) return e;
	snprintf(stem, sizeof stem, "attention_backward_keys_%d", W);
	return launch(g, &a, stem, ATTENTION_WARPS * KEYS_OWN(W), 1, KEYS_SHARED(W));
}
