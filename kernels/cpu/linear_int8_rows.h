// Products of whole numbers with many rows: both sides become pairs of 16-bit numbers, x once and the panels of w as they come to the tile,
// and gemm.h sums them as it sums floats, with a step of depth for each pair.
#ifndef ATOLL_LINEAR_INT8_ROWS_H
#define ATOLL_LINEAR_INT8_ROWS_H

#include "linear.h"
#include "quantize.h"

// From so many rows on it pays to make pairs of w (measured with AVX2).
enum { INT8_MANY = 64 };

// INT8_ROW_SIZE is the bytes of a number of x: the words of a step are pairs, or fours for AMX.
#ifdef NATIVE_AMX
enum { INT8_ROW_SIZE = 1 };
#else
enum { INT8_ROW_SIZE = 2 };
#endif

typedef struct {
	linear_outputs o; // the first, since linear_store_as takes the context for it
	uint32_t dtype;   // of the outputs
	quantized_rows rows;
} int8_rows;

// int8_store makes floats of a tile's sums. The columns' scales stand before the words of their panel.
static void int8_store(const gemm *g, int64_t m, int64_t n, int64_t rows, int64_t columns, const float *tile) {
	const int8_rows *j = g->context;
	float scaled[(AMX_ROWS ? AMX_ROWS : MR) * NR];
	for (int64_t c = 0; c < NR; c += VL) {
		const vf scale = vload(packed_at(&g->packed, n + c, 0) - LINE);
		for (int64_t r = 0; r < rows; r++) {
			const vi whole = (vi)vload(tile + r * NR + c);
			vstore(scaled + r * NR + c, __builtin_convertvector(whole, vf) * vset(j->rows.scales[m + r]) * scale);
		}
	}
	BY_DTYPE(j->dtype, linear_store_as, g, m, n, rows, columns, scaled);
}

static int run_int8_rows(const gemm *g, team *t, char *error) {
	int8_rows j = {.o = *(const linear_outputs *)g->context, .dtype = g->precision, .rows = {.x = &g->a, .size = INT8_ROW_SIZE}};
	const size_t refused = quantize_rows(&j.rows, t);
	if (refused) return out_of_memory(error, refused);
	gemm product = *g;
	const int64_t per_word = 4 / INT8_ROW_SIZE;
	product.a = (gemm_operand){j.rows.numbers, j.rows.width / per_word, g->a.count, pieces(g->a.depth, per_word), DT_F32, 0};
	product.b.depth = product.a.depth;
	product.packed.words += LINE;
	product.precision = DT_F32;
	product.store = int8_store;
	product.context = &j;
	return gemm_run(&product, t, error);
}

#endif
