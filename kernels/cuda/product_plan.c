//go:build gpu

#include "product_plan.h"

#include <stdio.h>

#include "cut.h"
#include "source/product_tiles.h"

// A kind of tile. price is the time for an element's multiplication, 100 for the fastest on tensor cores, and full how many blocks
// keep a processor busy.
typedef struct {
	const char *name;
	int M, N, few_rows; // few_rows: there is no kernel for a transposed
	unsigned threads, shared;
	int price, full;
} tile;

#define TILE_M(M, ...) M
#define TILE_N(M, N, ...) N
#define TILE_ENTRY(tile, name, few_rows, threads, shared, price, full)                                        \
	{name, tile(TILE_M), tile(TILE_N), few_rows, tile(threads), tile(shared), price, full}

static const tile half_tiles[] = {
	TILE_ENTRY(TILE_128X256, "128x256", 0, TILE_THREADS, TILE_SHARED, 100, 1),
	TILE_ENTRY(TILE_128X128, "128x128", 0, TILE_THREADS, TILE_SHARED, 110, 2),
	TILE_ENTRY(TILE_64X64, "64x64", 0, TILE_THREADS, TILE_SHARED, 190, 2),
	TILE_ENTRY(TILE_16X32, "16x32", 1, TILE_THREADS, TILE_SHARED, 600, 4),
};
static const tile tf32_tiles[] = {
	TILE_ENTRY(TILE_128X128, "128x128", 0, TILE_THREADS, TF32_SHARED, 220, 2),
	TILE_ENTRY(TILE_64X64, "64x64", 0, TILE_THREADS, TF32_SHARED, 380, 2),
	TILE_ENTRY(TILE_16X32, "16x32", 1, TILE_THREADS, TF32_SHARED, 1200, 4),
};
static const tile f32_tiles[] = {
	TILE_ENTRY(F32_128X128, "128x128", 0, F32_THREADS, F32_SHARED, 1600, 1),
	TILE_ENTRY(F32_64X64, "64x64", 0, F32_THREADS, F32_SHARED, 1900, 2),
	TILE_ENTRY(F32_16X32, "16x32", 1, F32_THREADS, F32_SHARED, 3200, 4),
};
// For operands that are read one element at a time.
static const tile guarded_tile = TILE_ENTRY(TILE_64X64, "guarded", 0, TILE_THREADS, TILE_SHARED, 0, 0);

#define COUNT(list) ((int)(sizeof(list) / sizeof *(list)))
enum { MOST_SLICES = 32, LEAST_SLICE = 128, SLICE_UNIT = 64 };

// slice_of is the length of a slice where K is cut into about so many: all but the last one begin and end at whole pieces.
static int64_t slice_of(int64_t K, int64_t slices) { return pieces(pieces(K, slices), SLICE_UNIT) * SLICE_UNIT; }

// clocks estimates the time of a product: a processor does 1024 multiplications of price 100 in a clock, and what it does at the
// start and the end of a tile takes as long as 64 of K. Slices cost a kernel more, and traffic of 8 bytes an element.
static double clocks(const tile *t, const gpu *g, const product *p, int64_t slices) {
	double processors = gpu_processors(g), elements = (double)p->M * (double)p->N;
	int64_t blocks = pieces(p->M, t->M) * pieces(p->N, t->N) * slices, turns = pieces(blocks, gpu_processors(g));
	double time = (double)(turns > t->full ? turns : t->full) * t->M * t->N * t->price / 100 / 1024 * (double)(pieces(p->K, slices) + 64);
	return slices == 1 ? time : time + 4000 + (double)slices * elements * 8 / (10 * processors);
}

// choose finds the fastest tile, and the fastest number of slices where that may depend on M.
static const tile *choose(const tile *tiles, int count, const gpu *g, const product *p, int64_t *slices) {
	const tile *best = NULL;
	double least = 0;
	for (int i = 0; i < count; i++) {
		if ((tiles[i].few_rows && p->a_transposed) || tiles[i].shared > gpu_shared(g)) continue;
		for (int64_t n = 1; n == 1 || (p->fixed_rows && n <= MOST_SLICES && p->K / n >= LEAST_SLICE); n++) {
			double time = clocks(&tiles[i], g, p, n);
			if (best && time >= least) continue;
			best = &tiles[i], least = time, *slices = n;
		}
	}
	return best;
}

// strides says how the kernel reads an operand of rows x columns: as it is, or rounded, in rows that are a multiple of 16 bytes.
static size_t strides(const product *p, CUdeviceptr at, uint32_t type, int64_t rows, int64_t columns, int64_t given, int64_t *stride,
	int *cast, int *wide) {
	int64_t size = type == DT_F32 ? 4 : 2;
	*cast = type != p->precision;
	*stride = *cast ? pieces(columns, 8) * 8 : given ? given : columns;
	*wide = *cast || (*stride * size % 16 == 0 && at % 16 == 0);
	return *cast ? whole_256(rows * *stride * 2) : 0;
}

void plan_product(product_plan *plan, const gpu *g, const product *p) {
	int64_t slices = 1, slice;
	const tile *t;
	size_t a_bytes = strides(p, p->a, p->a_type, p->a_transposed ? p->K : p->M, p->a_transposed ? p->M : p->K, p->a_stride,
		&plan->a_stride, &plan->cast_a, &plan->wide_a);
	size_t b_bytes = strides(p, p->b, p->b_type, p->b_transposed ? p->N : p->K, p->b_transposed ? p->K : p->N, p->b_stride,
		&plan->b_stride, &plan->cast_b, &plan->wide_b);
	int wide = plan->wide_a && plan->wide_b;
	const char *suffix = p->precision == DT_BF16 ? "bf16" : p->precision == DT_F16 ? "f16" : "f32";
	if (p->precision == DT_F32) {
		t = choose(f32_tiles, COUNT(f32_tiles), g, p, &slices);
		if (gpu_tf32(g)) {
			const tile *faster = choose(tf32_tiles, COUNT(tf32_tiles), g, p, &slices);
			if (wide) t = faster, suffix = "tf32";
		}
	} else {
		t = choose(half_tiles, COUNT(half_tiles), g, p, &slices);
		if (!wide) t = &guarded_tile;
	}
	snprintf(plan->kernel, sizeof plan->kernel, "product_%s_%s_%s", t->name, p->a_transposed ? "tn" : p->b_transposed ? "nt" : "nn", suffix);
	plan->M = t->M, plan->N = t->N, plan->threads = t->threads, plan->shared = t->shared;
	slice = p->K ? slice_of(p->K, slices) : SLICE_UNIT;
	plan->slice = (int)slice;
	plan->slices = p->K ? (int)pieces(p->K, slice) : 1;
	plan->partial_stride = pieces(p->N, 8) * 8;
	plan->b_at = a_bytes, plan->partials_at = a_bytes + b_bytes;
	plan->bytes = plan->partials_at + (plan->slices > 1 ? whole_256(plan->slices * p->M * plan->partial_stride * 4) : 0);
}
