//go:build gpu

#include "cut.h"
#include "launchers.h"

enum { THREADS = 256 };

// A kernel for rows of up to most columns. The choice depends on the width alone, never on the number of rows, so that a row
// gives the same bits in every batch.
typedef struct {
	int64_t most;
	const char *wide, *single; // for rows that may be read 16 bytes at a time, and for all
	int rows;                  // that a block takes at once
} width;

static const width *width_of(int64_t C) {
	static const width widths[] = {
		{256, "layernorm_8_wide", "layernorm_8", THREADS / 32},
		{768, "layernorm_24_wide", "layernorm_24", THREADS / 32},
		{1024, "layernorm_32_wide", "layernorm_32", THREADS / 32},
		{2048, "layernorm_64_wide", "layernorm_64", THREADS / 32},
		{INT64_MAX, "layernorm_block_wide", "layernorm_block", 1},
	};
	const width *w = widths;
	while (C > w->most) w++;
	return w;
}

CUresult launch_layernorm(gpu *g, const atoll_call *c, const CUdeviceptr *arg) {
	enum { OUT, MEAN, RSTD, X, G, B };
	CUdeviceptr out = arg[OUT], mean = arg[MEAN], rstd = arg[RSTD], x = arg[X], gain = arg[G], b = arg[B];
	int64_t N = c->dims[0];
	if (N == 0) return CUDA_SUCCESS;
	if (c->dims[1] > MOST) return CUDA_ERROR_INVALID_VALUE;
	int C = (int)c->dims[1];
	const width *w = width_of(C);
	CUdeviceptr wide[] = {out, x, gain, b};
	const char *stem = whole_packs(C, c->precision) && aligned(wide, 4) ? w->wide : w->single;
	char room[GPU_NAME_BYTES];
	float epsilon = c->scalars[0];
	void *params[] = {&out, &mean, &rstd, &x, &gain, &b, &N, &C, &epsilon};
	return gpu_launch(g, gpu_name(room, stem, c->precision), spread(g, N, w->rows), THREADS, 32 * sizeof(float), params);
}
