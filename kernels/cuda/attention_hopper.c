//go:build gpu

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attention.h"

enum { HALF_BYTES = 2 };

int attention_hopper_suits(const gpu *g, const attention_pass *p) {
	const attention_shape *s = &p->shape;
	const char *wanted = getenv("ATOLL_HOPPER");
	if (!wanted || strcmp(wanted, "1") || gpu_capability(g) != 90 || p->precision == DT_F32 || p->start) return 0;
	return (s->D == 64 || s->D == 128) && s->wide && s->T > 0 && s->query_stride <= INT32_MAX;
}

// map_rows describes packed rows [B,T,3C], of which a box is 64 columns of 128 rows of a sequence.
static CUresult map_rows(CUtensorMap *map, const attention_pass *p) {
	const attention_shape *s = &p->shape;
	cuuint64_t sizes[] = {(cuuint64_t)s->query_stride, (cuuint64_t)s->T, (cuuint64_t)p->B};
	cuuint64_t strides[] = {sizes[0] * HALF_BYTES, sizes[0] * sizes[1] * HALF_BYTES};
	cuuint32_t box[] = {HOPPER_PANEL, HOPPER_KEYS, 1}, steps[] = {1, 1, 1};
	CUtensorMapDataType type = p->precision == DT_BF16 ? CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 : CU_TENSOR_MAP_DATA_TYPE_FLOAT16;
	return cuTensorMapEncodeTiled(map, type, 3, (void *)p->q, sizes, strides, box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
		CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
}

CUresult attention_hopper(gpu *g, const attention_pass *p) {
	attention_pass a = *p;
	CUtensorMap rows;
	CUresult e = map_rows(&rows, p);
	if (e) return e;
	CUdeviceptr faults = gpu_faults(g);
	int call = gpu_call_index(g), W = a.shape.D;
	void *params[] = {&a.out, &a.lse, &rows, &a.lengths, &a.seed, &a.shape, &faults, &call};
	char stem[GPU_NAME_BYTES], name[GPU_NAME_BYTES];
	snprintf(stem, sizeof stem, "attention_hopper_%d", W);
	return gpu_launch(g, gpu_name(name, stem, a.precision), attention_blocks(&a.shape, a.B, HOPPER_QUERIES, 1), HOPPER_THREADS,
		(unsigned)HOPPER_SHARED(W), params);
}
