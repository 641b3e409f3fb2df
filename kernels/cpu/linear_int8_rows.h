// Products of whole numbers with many rows: both sides become pairs of 16-bit numbers, x once and the panels of w as they come to the tile,
// and gemm.h sums them as it sums floats, with a step of depth for each pair.
#ifndef ATOLL_LINEAR_INT8_ROWS_H
#define ATOLL_LINEAR_INT8_ROWS_H

#include "linear.h"
#include "quantize.h"

// From so many rows on it pays to make pairs of w (measured with AVX2).
enum { INT8_MANY = 64 };

typedef struct {
	linear_outputs o; // the first, since linear_store_as takes the context for it
	uint32_t dtype;   // of the outputs, and of x
	const gemm_operand *x;
	float *scales; // of the rows [M]
	float *pairs;  // of the rows [M,ld]
	int64_t ld;
} int8_rows;

static void pair_row(void *arg, int64_t m, int worker) {
	const int8_rows *j = arg;
	const gemm_operand *x = j->x;
	float *to = j->pairs + m * j->ld;
	(void)worker;
	if (x->dtype == DT_F32) j->scales[m] = quantize_row_as(to, 2, 2 * j->ld, x->start, m * x->depth, x->depth, DT_F32);
	else if (x->dtype == DT_BF16) j->scales[m] = quantize_row_as(to, 2, 2 * j->ld, x->start, m * x->depth, x->depth, DT_BF16);
	else j->scales[m] = quantize_row_as(to, 2, 2 * j->ld, x->start, m * x->depth, x->depth, DT_F16);
}

// int8_store makes floats of a tile's sums. The columns' scales stand before the words of their panel.
static void int8_store(const gemm *g, int64_t m, int64_t n, int64_t rows, int64_t columns, const float *tile) {
	const int8_rows *j = g->context;
	float scaled[MR * NR];
	for (int64_t c = 0; c < NR; c += VL) {
		const vf scale = vload(packed_at(&g->packed, n + c, 0) - LINE);
		for (int64_t r = 0; r < rows; r++) {
			const vi whole = (vi)vload(tile + r * NR + c);
			vstore(scaled + r * NR + c, __builtin_convertvector(whole, vf) * vset(j->scales[m + r]) * scale);
		}
	}
	BY_DTYPE(j->dtype, linear_store_as, g, m, n, rows, columns, scaled);
}

static int run_int8_rows(const gemm *g, team *t, char *error) {
	const int64_t M = g->a.count, K = g->a.depth;
	int8_rows j = {.o = *(const linear_outputs *)g->context, .dtype = g->precision, .x = &g->a, .ld = pieces(K, LINE) * LINE / 2};
	const size_t bytes = (size_t)(M * (j.ld + 1)) * sizeof(float);
	j.pairs = team_shared(t, bytes);
	if (!j.pairs) return out_of_memory(error, bytes);
	j.scales = j.pairs + M * j.ld;
	team_for(t, M, pair_row, &j);
	gemm product = *g;
	product.a = (gemm_operand){j.pairs, j.ld, M, pieces(K, 2), DT_F32, 0};
	product.b.depth = product.a.depth;
	product.packed.words += LINE;
	product.precision = DT_F32;
	product.store = int8_store;
	product.context = &j;
	return gemm_run(&product, t, error);
}

#endif
