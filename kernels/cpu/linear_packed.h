// linear.packed: a product with a weight that was packed before. Few rows, such as decoding has, are multiplied with a few panels at
// a time, each of which is read once from its beginning to its end; more rows go through gemm.h. Both sum as linear does, but for fp32 where
// there is AMX: there few rows sum so only if the caller says that they are a stream's, whose bits may depend on how many there are.
#ifndef ATOLL_LINEAR_PACKED_H
#define ATOLL_LINEAR_PACKED_H

#include "linear_int8.h"

// FEW_ROWS is how many rows at most are not worth the packing of x. LINES_AHEAD is how many lines of a panel are fetched ahead.
enum { FEW_ROWS = 8, LINES_AHEAD = 32 };

// How a line of words is multiplied: one number of x a word, two in turn, or two by one instruction.
enum line_product { ONE, TWO, NATIVE };

// A product of few rows: x is fp32, or words of bf16 for NATIVE, with ld of them from row to row.
typedef struct {
	gemm g;
	const float *x;
	int64_t ld;
	int64_t together; // panels that are handed out together
	enum line_product as;
} few_rows;

// LINE_VECTORS vectors make a line of a panel. MOST_PANELS panels are multiplied with one row at a time: enough sums that none
// waits for the one before it.
enum { LINE_VECTORS = LINE / VL, MOST_PANELS = VL == 4 ? 2 : 4, MOST_SUMS = MOST_PANELS * LINE_VECTORS };

// add_line adds the products of a line of P panels with R rows of x; last: the second half of its words is beyond K.
inl void add_line(vf sum[4][MOST_SUMS], const few_rows *f, const float *x, const float *words, const int R, const int P,
	enum line_product as, int last) {
#pragma GCC unroll 16
	for (int c = 0; c < P * LINE_VECTORS; c++) {
		const float *line = words + c / LINE_VECTORS * f->g.packed.panel;
		const vf w = vload(line + c % LINE_VECTORS * VL);
		if (c % LINE_VECTORS == 0) __builtin_prefetch(line + LINES_AHEAD * LINE, 0, 3);
#pragma GCC unroll 4
		for (int r = 0; r < R; r++) {
			const float *at = x + r * f->ld;
#ifdef NATIVE_BF16
			if (as == NATIVE) {
				sum[r][c] = (vf)_mm512_dpbf16_ps((__m512)sum[r][c], (__m512bh)vset(at[0]), (__m512bh)w);
				continue;
			}
#endif
			sum[r][c] = vfma(vset(at[0]), as == TWO ? first_of(w) : w, sum[r][c]);
			if (as == TWO && !last) sum[r][c] = vfma(vset(at[1]), second_of(w), sum[r][c]);
		}
	}
}

// add_block sets sums [R,P*LINE] to those of a block of kc values of k, or adds them.
inl void add_block(const few_rows *f, const float *x, const float *words, int64_t kc, float *sums, int add, const int R, const int P,
	enum line_product as) {
	vf sum[4][MOST_SUMS];
#pragma GCC unroll 4
	for (int r = 0; r < R; r++)
#pragma GCC unroll 16
		for (int c = 0; c < P * LINE_VECTORS; c++) sum[r][c] = vzero();
	const int64_t lines = as == ONE ? kc : as == TWO ? kc / 2 : pieces(kc, 2);
	for (int64_t s = 0; s < lines; s++, words += LINE, x += as == TWO ? 2 : 1) add_line(sum, f, x, words, R, P, as, 0);
	if (as == TWO && (kc & 1)) add_line(sum, f, x, words, R, P, as, 1);
#pragma GCC unroll 4
	for (int r = 0; r < R; r++)
#pragma GCC unroll 16
		for (int c = 0; c < P * LINE_VECTORS; c++) {
			float *at = sums + (r * P * LINE_VECTORS + c) * VL;
			vstore(at, add ? vload(at) + sum[r][c] : sum[r][c]);
		}
}

// rows_by_panels takes R rows from m on through all blocks of P panels, and stores them.
inl void rows_by_panels(const few_rows *f, int64_t m, int64_t panel, const int R, const int P, enum line_product as) {
	const gemm *g = &f->g;
	const int64_t K = g->a.depth, n = panel * LINE;
	const float *x = f->x + m * f->ld;
	float sums[4 * LINE * MOST_PANELS];
	int64_t k = 0;
	do { // once where K is 0, too
		add_block(f, x + (as == NATIVE ? k / 2 : k), packed_at(&g->packed, n, k), smaller(g->depth, K - k), sums, k > 0, R, P, as);
		k += g->depth;
	} while (k < K);
	for (int r = 0; r < R; r++) g->store(g, m + r, n, 1, smaller(P * LINE, g->b.count - n), sums + r * P * LINE);
}

inl void few_rows_as(const few_rows *f, int64_t panel, int64_t panels, enum line_product as) {
	const int64_t M = f->g.a.count;
	int64_t m = 0;
	for (; m + 4 <= M; m += 4)
		for (int64_t p = 0; p < panels; p++) rows_by_panels(f, m, panel + p, 4, 1, as);
	for (; m + 2 <= M; m += 2)
		for (int64_t p = 0; p < panels; p += 2) rows_by_panels(f, m, panel + p, 2, 2, as);
	if (m == M) return;
	if (panels == MOST_PANELS) rows_by_panels(f, m, panel, 1, MOST_PANELS, as);
	else rows_by_panels(f, m, panel, 1, 2, as);
}

static void few_rows_body(void *arg, int64_t i, int worker) {
	const few_rows *f = arg;
	const int64_t panel = i * f->together, panels = smaller(f->together, packed_panels(f->g.b.count) - panel);
	(void)worker;
	switch (f->as) {
	case ONE: few_rows_as(f, panel, panels, ONE); break;
	case TWO: few_rows_as(f, panel, panels, TWO); break;
	case NATIVE: few_rows_as(f, panel, panels, NATIVE); break;
	}
}

// widen_rows gives x as the products want it: itself where that is fp32, else a copy that the team holds; NULL without memory.
static const float *widen_rows(few_rows *f, team *t) {
	const gemm_operand *x = &f->g.a;
	f->ld = f->as == NATIVE ? pieces(x->depth, 2) : x->depth;
	if (x->dtype == DT_F32) return x->start;
	float *to = team_shared(t, (size_t)(larger(x->count * f->ld, 1)) * sizeof *to);
	for (int64_t m = 0; to && m < x->count; m++) {
		const uint16_t *row = (const uint16_t *)x->start + m * x->depth;
		float *wide = to + m * f->ld;
		if (f->as == NATIVE) {
			if (f->ld) memset(wide + f->ld - 1, 0, sizeof *wide); // the second half of the last word
			memcpy(wide, row, (size_t)x->depth * sizeof *row);
			continue;
		}
		for (int64_t i = 0; i < x->depth; i += VL) vstore_to(wide, i, vload_act_to(row, i, x->depth, x->dtype), x->depth);
	}
	return to;
}

static int run_few_rows(gemm *g, team *t, char *error) {
	few_rows f = {.g = *g, .as = g->packed.format == FORMAT_F32 ? ONE : in_place(&g->packed, g->precision) ? NATIVE : TWO};
	f.g.depth = KC * per_step(g->precision);
	f.x = widen_rows(&f, t);
	if (!f.x) return out_of_memory(error, (size_t)(g->a.count * f.ld) * sizeof *f.x);
	const int64_t panels = packed_panels(g->b.count);
	f.together = panels / MOST_PANELS < 4 * team_size(t) ? 2 : MOST_PANELS;
	team_for(t, pieces(panels, f.together), few_rows_body, &f);
	return 0;
}

// y = gelu?(x·w + b) + res, with a packed w.
static int linear_packed(team *t, const atoll_call *c, void *const *arg, char *error) {
	const int64_t N = c->dims[0], I = c->dims[1], O = c->dims[2];
	linear_outputs o = {arg[0], arg[5], arg[3], arg[4], c->dims[3] != 0};
	const int twice = c->dims[4] == FORMAT_TWICE;
	gemm g = {row_operand(arg[1], N, I, c->precision), weight_operand(NULL, O, I, 0),
		.packed = twice ? twice_of(arg[2], O, 0) : packed_weight_of(arg[2], I, c->dims[4]), .precision = c->precision, .store = linear_store, .context = &o,
		.stored = {o.y, o.pre, o.res}, .stored_size = act_size(c->precision)};
	if (c->precision == DT_F32 && !o.pre && !o.gelu) g.plain = o.y, g.bias = o.b, g.addend = o.res;
	if (N == 0 || O == 0) return 0;
	if (g.packed.format == FORMAT_I8) return run_int8(&g, t, error);
	const int few = N <= FEW_ROWS && !twice && (!by_amx(&g) || (in_parts(&g) && c->dims[6]));
	return few ? run_few_rows(&g, t, error) : gemm_run(&g, t, error);
}

#endif
