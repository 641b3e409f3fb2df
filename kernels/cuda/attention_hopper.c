//go:build gpu

#include <stdio.h>

#include "attention.h"

enum { HALF_BYTES = 2 };

// available is whether the device has the kernels, for heads that lie as they want them.
static int available(const gpu *g, const attention_shape *s, uint32_t precision) {
	return gpu_capability(g) == 90 && precision != DT_F32 && s->wide && s->T > 0 && s->query_stride <= INT32_MAX;
}

int attention_hopper_suits(const gpu *g, const attention_pass *p) {
	const attention_shape *s = &p->shape;
	return available(g, s, p->precision) && !p->start && (s->D == 64 || s->D == 128);
}

int attention_hopper_suits_gradient(const gpu *g, const attention_gradient *a) {
	const attention_shape *s = &a->shape;
	return available(g, s, a->precision) && s->D == 64 && !(a->seed && s->dropout > 0);
}

// map_rows describes packed rows [B,T,columns], of which a box is 64 columns of 128 rows of a sequence.
static CUresult map_rows(CUtensorMap *map, CUdeviceptr rows, int64_t B, int64_t T, int64_t columns, uint32_t precision) {
	cuuint64_t sizes[] = {(cuuint64_t)columns, (cuuint64_t)T, (cuuint64_t)B};
	cuuint64_t strides[] = {sizes[0] * HALF_BYTES, sizes[0] * sizes[1] * HALF_BYTES};
	cuuint32_t box[] = {HOPPER_PANEL, HOPPER_TILE, 1}, steps[] = {1, 1, 1};
	CUtensorMapDataType type = precision == DT_BF16 ? CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 : CU_TENSOR_MAP_DATA_TYPE_FLOAT16;
	return cuTensorMapEncodeTiled(map, type, 3, (void *)rows, sizes, strides, box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
		CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
}

CUresult attention_hopper(gpu *g, const attention_pass *p) {
	attention_pass a = *p;
	CUtensorMap rows;
	CUresult e = map_rows(&rows, p->q, p->B, p->shape.T, p->shape.query_stride, p->precision);
	if (e) return e;
	CUdeviceptr faults = gpu_faults(g);
	int call = gpu_call_index(g), W = a.shape.D;
	void *params[] = {&a.out, &a.lse, &rows, &a.lengths, &a.seed, &a.shape, &faults, &call};
	char stem[GPU_NAME_BYTES], name[GPU_NAME_BYTES];
	snprintf(stem, sizeof stem, "attention_hopper_%d", W);
	return gpu_launch(g, gpu_name(name, stem, a.precision), attention_blocks(&a.shape, a.B, 2 * HOPPER_TILE, 1), HOPPER_THREADS,
		(unsigned)HOPPER_SHARED(W), params);
}

CUresult attention_hopper_gradient(gpu *g, const attention_gradient *given) {
	attention_gradient a = *given;
	attention_shape *s = &a.shape;
	CUtensorMap qkv, dout;
	CUresult e = map_rows(&qkv, a.qkv, a.B, s->T, s->query_stride, a.precision);
	if (!e) e = map_rows(&dout, a.dout, a.B, s->T, (int64_t)s->H * s->D, a.precision);
	CUdeviceptr faults = gpu_faults(g);
	int call = gpu_call_index(g);
	void *params[] = {&a.dqkv, &dout, &qkv, &a.dout, &a.out, &a.lse, &a.delta, &a.lengths, s, &faults, &call};
	static const char *const kernels[] = {"attention_hopper_queries_64", "attention_hopper_keys_64"};
	for (int i = 0; i < 2 && !e; i++) {
		char name[GPU_NAME_BYTES];
		e = gpu_launch(g, gpu_name(name, kernels[i], a.precision), attention_blocks(s, a.B, 2 * HOPPER_TILE, 1), HOPPER_THREADS,
			HOPPER_GRADIENT_SHARED, params);
	}
	return e;
}
