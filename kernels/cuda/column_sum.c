//go:build gpu

#include "column_sum.h"
#include "cut.h"

#include <limits.h>

#include "source/column_sum.h"

enum { THREADS = 256, LEAST_ROWS = 64, MOST_SLICES = 64 };

static int64_t pack_of(const column_sum *s) { return s->type == DT_F32 ? 4 : 8; } // elements in 16 bytes
static int64_t blocks(const column_sum *s) { return pieces(s->O, SUM_ACROSS * pack_of(s)); }

// rows_of is how many rows a block adds up: so many that there are about 2 blocks for each processor.
static int64_t rows_of(const gpu *g, const column_sum *s) {
	int64_t slices = pieces(2 * (int64_t)gpu_processors(g), blocks(s));
	return larger(pieces(s->N, smaller(slices, MOST_SLICES)), LEAST_ROWS);
}

// There is a slice where there are no rows too: it sums up to 0.
static int64_t slices_of(const gpu *g, const column_sum *s) { return s->N ? pieces(s->N, rows_of(g, s)) : 1; }

CUresult gpu_column_sum(gpu *g, const column_sum *s) {
	char name[GPU_NAME_BYTES];
	if (s->O == 0) return CUDA_SUCCESS;
	if (s->O > INT_MAX / 2 || s->N > INT_MAX) return CUDA_ERROR_INVALID_VALUE;
	CUdeviceptr parts = s->workspace, x = s->x, out = s->out, step = s->step;
	int64_t N = s->N, size = s->type == DT_F32 ? 4 : 2;
	int O = (int)s->O, rows = (int)rows_of(g, s), slices = (int)slices_of(g, s), mode = s->mode;
	int wide = x % 16 == 0 && O * size % 16 == 0;
	void *params[] = {&parts, &x, &N, &O, &rows, &wide};
	gpu_grid grid = {(unsigned)blocks(s), (unsigned)slices, 1};
	CUresult e = gpu_launch(g, gpu_name(name, "column_sum", s->type), grid, SUM_ACROSS * SUM_DOWN, (unsigned)(SUM_ACROSS * SUM_DOWN * pack_of(s) * 4), params);
	if (e) return e;
	void *finish[] = {&out, &parts, &O, &slices, &mode, &step};
	return gpu_launch(g, "column_sum_finish", (gpu_grid){(unsigned)pieces(O, THREADS), 1, 1}, THREADS, 0, finish);
}

size_t gpu_column_sum_workspace(const gpu *g, const column_sum *s) {
	if (s->O == 0) return 0;
	return whole_256(slices_of(g, s) * s->O * 4);
}
