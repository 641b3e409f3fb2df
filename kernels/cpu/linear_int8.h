// Products of whole numbers: rows of x are quantized, and multiplied with packed panels of int8. Sums are exact, so their order is
// free. On AMD64 every variant uses AVX2's instructions here.
#ifndef ATOLL_LINEAR_INT8_H
#define ATOLL_LINEAR_INT8_H

#include "linear_int8_rows.h"

// A task is INT8_ROWS rows times INT8_PANELS panels: what it reads again stays in the second cache.
enum { INT8_ROWS = 64, INT8_PANELS = 4, INT8_LINES_AHEAD = 16 };

typedef struct {
	gemm g;
	quantized_rows rows;
	int64_t row_tasks;
} int8_product;

// int8_sums sets sums [R,P*LINE] to the products of R rows of q with P panels, whose lines of words begin at words.
inl void int8_sums(const int8_product *j, const int8_t *q, const float *words, int32_t *sums, const int R, const int P) {
	const int64_t lines = pieces(j->g.a.depth, 4), panel = j->g.packed.panel;
#if VL >= 8
	// |x| times w with the sign of x: two neighbours sum to at most 2*127*127, which 16 bits hold.
	__m256i sum[4][2 * INT8_PANELS];
#pragma GCC unroll 4
	for (int r = 0; r < R; r++)
#pragma GCC unroll 8
		for (int c = 0; c < 2 * P; c++) sum[r][c] = _mm256_setzero_si256();
	for (int64_t s = 0; s < lines; s++, words += LINE) {
#pragma GCC unroll 4
		for (int r = 0; r < R; r++) {
			int32_t four;
			memcpy(&four, q + r * j->rows.width + 4 * s, sizeof four);
			const __m256i x = _mm256_set1_epi32(four), positive = _mm256_abs_epi8(x);
#pragma GCC unroll 8
			for (int c = 0; c < 2 * P; c++) {
				const float *line = words + c / 2 * panel;
				if (r == 0 && c % 2 == 0) __builtin_prefetch(line + INT8_LINES_AHEAD * LINE, 0, 3);
				const __m256i w = _mm256_loadu_si256((const __m256i *)(line + c % 2 * 8));
				const __m256i pairs = _mm256_maddubs_epi16(positive, _mm256_sign_epi8(w, x));
				sum[r][c] = _mm256_add_epi32(sum[r][c], _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
			}
		}
	}
#pragma GCC unroll 4
	for (int r = 0; r < R; r++)
#pragma GCC unroll 8
		for (int c = 0; c < 2 * P; c++) _mm256_storeu_si256((__m256i *)(sums + (r * 2 * P + c) * 8), sum[r][c]);
#else
	memset(sums, 0, sizeof *sums * (size_t)(R * P * LINE));
	for (int r = 0; r < R; r++)
		for (int p = 0; p < P; p++) {
			const int8_t *w = (const int8_t *)(words + p * panel), *x = q + r * j->rows.width;
			int32_t *to = sums + (r * P + p) * LINE;
			for (int64_t s = 0; s < lines; s++, w += 4 * LINE, x += 4)
				for (int c = 0; c < LINE; c++) to[c] += x[0] * w[4 * c] + x[1] * w[4 * c + 1] + x[2] * w[4 * c + 2] + x[3] * w[4 * c + 3];
		}
#endif
}

// int8_tile multiplies R rows from m on with P panels and stores them.
inl void int8_tile(const int8_product *j, int64_t m, int64_t panel, const int R, const int P) {
	const gemm *g = &j->g;
	const float *words = g->packed.words + panel * g->packed.panel; // the scales come first
	int32_t sums[4 * LINE * INT8_PANELS];
	float tile[LINE * INT8_PANELS];
	int8_sums(j, (const int8_t *)j->rows.numbers + m * j->rows.width, words + LINE, sums, R, P);
	for (int r = 0; r < R; r++) {
		for (int c = 0; c < P * LINE; c += VL) {
			vi whole;
			memcpy(&whole, sums + r * P * LINE + c, sizeof whole);
			const vf scale = vload(words + c / LINE * g->packed.panel + c % LINE);
			vstore(tile + c, __builtin_convertvector(whole, vf) * vset(j->rows.scales[m + r]) * scale);
		}
		g->store(g, m + r, panel * LINE, 1, smaller(P * LINE, g->b.count - panel * LINE), tile);
	}
}

static void int8_body(void *arg, int64_t i, int worker) {
	const int8_product *j = arg;
	int64_t m = i % j->row_tasks * INT8_ROWS;
	const int64_t end = smaller(m + INT8_ROWS, j->g.a.count), panel = i / j->row_tasks * INT8_PANELS;
	const int64_t panels = smaller(INT8_PANELS, packed_panels(j->g.b.count) - panel);
	(void)worker;
	const int64_t fours = m + (end - m) / 4 * 4;
	for (int64_t p = 0; p < panels; p++)
		for (int64_t n = m; n < fours; n += 4) int8_tile(j, n, panel + p, 4, 1);
	for (m = fours; m + 2 <= end; m += 2)
		for (int64_t p = 0; p < panels; p += 2) int8_tile(j, m, panel + p, 2, 2);
	if (m == end) return;
	if (panels == INT8_PANELS) int8_tile(j, m, panel, 1, INT8_PANELS);
	else int8_tile(j, m, panel, 1, 2);
}

static int run_int8(const gemm *g, team *t, char *error) {
	const int64_t M = g->a.count;
	if (M >= INT8_MANY) return run_int8_rows(g, t, error);
	int8_product j = {.g = *g, .rows = {.x = &g->a, .size = 1}, .row_tasks = pieces(M, INT8_ROWS)};
	const size_t refused = quantize_rows(&j.rows, t);
	if (refused) return out_of_memory(error, refused);
	team_for(t, j.row_tasks * pieces(packed_panels(g->b.count), INT8_PANELS), int8_body, &j);
	return 0;
}

#endif
