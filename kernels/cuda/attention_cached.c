//go:build gpu

#include "attention.h"
#include "launchers.h"

// A few new rows are served one by one, with the keys split among blocks; many are appended to the caches first and then
// attended to as in training, in tiles.
enum { FEW_ROWS = 8 };

static int row_by_row(const attention_shape *s) { return s->T <= FEW_ROWS; }

static attention_shape shape_of(const atoll_call *c) {
	attention_shape s = attention_packed(c);
	s.P = (int32_t)c->dims[4], s.key_stride = c->dims[2];
	s.salt = 0, s.dropout = 0;
	return s;
}

static int splits_of(const attention_shape *s) { return s->P > CACHED_KEYS ? (s->P + CACHED_KEYS - 1) / CACHED_KEYS : 1; }

size_t attention_cached_workspace(const gpu *g, const atoll_call *c) {
	(void)g;
	attention_shape s = shape_of(c);
	if (!row_by_row(&s) || splits_of(&s) == 1) return 0;
	size_t rows = (size_t)(c->dims[0] * s.H * s.T), floats = rows * (size_t)splits_of(&s) * (size_t)(s.D + 2);
	return (floats * 4 + 255) / 256 * 256;
}

CUresult launch_attention_cached(gpu *g, const atoll_call *c, const CUdeviceptr *arg) {
	enum { OUT, QKV, KEYS, VALUES, START };
	int64_t B = c->dims[0];
	if (B == 0 || c->dims[2] == 0) return CUDA_SUCCESS;
	attention_shape s = shape_of(c);
	if (!attention_fits(c->dims[1], c->dims[4])) return CUDA_ERROR_INVALID_VALUE;
	s.wide = attention_wide(&s, c->precision, arg, START);
	CUdeviceptr out = arg[OUT], qkv = arg[QKV], keys = arg[KEYS], values = arg[VALUES], start = arg[START],
		parts = gpu_scratch(g);
	CUdeviceptr faults = gpu_faults(g);
	int call = gpu_call_index(g), splits = splits_of(&s);
	void *params[] = {&out, &qkv, &keys, &values, &start, &parts, &splits, &s, &faults, &call};
	char name[GPU_NAME_BYTES];
	if (!row_by_row(&s)) {
		gpu_grid rows = {(unsigned)(B * s.T), 1, 1};
		CUresult e = gpu_launch(g, gpu_name(name, "attention_append", c->precision), rows, ATTENTION_THREADS, 0, params);
		attention_pass p = {.out = out, .q = qkv, .k = keys, .v = values, .start = start, .shape = s, .B = B,
			.precision = c->precision};
		return e ? e : attention_forward(g, &p);
	}
	gpu_grid grid = {(unsigned)(B * s.H), (unsigned)(s.T ? s.T : 1), (unsigned)splits};
	CUresult e = gpu_launch(g, gpu_name(name, "attention_cached", c->precision), grid, ATTENTION_THREADS, CACHED_SHARED, params);
	grid.z = 1;
	if (e || splits == 1) return e;
	return gpu_launch(g, gpu_name(name, "attention_cached_sum", c->precision), grid, ATTENTION_THREADS, 0, params);
}
