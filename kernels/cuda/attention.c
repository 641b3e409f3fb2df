//go:build gpu

#include "attention.h"

#include <math.h>
#include <stdio.h>

#include "launchers.h"

attention_shape attention_packed(const atoll_call *c) {
	int64_t T = c->dims[1], C = c->dims[2], H = c->dims[3], D = C / H;
	return (attention_shape){.T = (int32_t)T, .P = (int32_t)T, .H = (int32_t)H, .D = (int32_t)D, .query_stride = 3 * C,
		.key_stride = 3 * C, .salt = (uint32_t)c->dims[4], .dropout = c->scalars[0], .scale = 1 / sqrtf((float)(D ? D : 1))};
}

int attention_wide(const attention_shape *s, uint32_t precision, const CUdeviceptr *arrays, int n) {
	CUdeviceptr together = (CUdeviceptr)s->D * attention_element(precision);
	for (int i = 0; i < n; i++) together |= arrays[i];
	return (together & 15) == 0;
}

gpu_grid attention_blocks(const attention_shape *s, int64_t B, int rows, int z) {
	return (gpu_grid){(unsigned)(B * s->H * ATTENTION_BLOCKS(s->T, rows)), 1, (unsigned)z};
}

CUresult attention_forward(gpu *g, const attention_pass *p) {
	attention_pass a = *p;
	attention_shape *s = &a.shape;
	const CUdeviceptr arrays[] = {a.out, a.q, a.k, a.v};
	s->wide = attention_wide(s, a.precision, arrays, 4);
	if (attention_hopper_suits(g, &a)) return attention_hopper(g, &a);
	CUdeviceptr faults = gpu_faults(g);
	int call = gpu_call_index(g);
	void *params[] = {&a.out, &a.lse, &a.q, &a.k, &a.v, &a.lengths, &a.start, &a.seed, s, &faults, &call};
	char stem[GPU_NAME_BYTES], name[GPU_NAME_BYTES];
	if (a.precision == DT_F32 || s->D > ATTENTION_WIDEST) {
		int W = a.precision == DT_F32 ? PLAIN_WIDTH(s->D) : 128, parts = (s->D + W - 1) / W;
		snprintf(stem, sizeof stem, "attention_plain_%d", W);
		gpu_grid grid = attention_blocks(s, a.B, PLAIN_EDGE, parts ? parts : 1);
		return gpu_launch(g, gpu_name(name, stem, a.precision), grid, ATTENTION_THREADS, PLAIN_SHARED, params);
	}
	int W = ATTENTION_WIDTH(s->D);
	snprintf(stem, sizeof stem, "attention_%d", W);
	gpu_grid grid = attention_blocks(s, a.B, ATTENTION_WARPS * FORWARD_OWN(W), 1);
	return gpu_launch(g, gpu_name(name, stem, a.precision), grid, ATTENTION_THREADS, FORWARD_SHARED(W), params);
}

CUresult launch_attention(gpu *g, const atoll_call *c, const CUdeviceptr *arg) {
	enum { OUT, LSE, QKV, LENGTHS, SEED };
	if (c->dims[0] == 0) return CUDA_SUCCESS;
	if (!attention_fits(c->dims[1], c->dims[1])) return CUDA_ERROR_INVALID_VALUE;
	CUdeviceptr third = (CUdeviceptr)c->dims[2] * attention_element(c->precision);
	attention_pass p = {.out = arg[OUT], .lse = arg[LSE], .q = arg[QKV], .k = arg[QKV] + third, .v = arg[QKV] + 2 * third,
		.lengths = arg[LENGTHS], .seed = arg[SEED], .shape = attention_packed(c), .B = c->dims[0], .precision = c->precision};
	return attention_forward(g, &p);
}
