// Attention of bf16 by AMX: the products of attention_tile.h, with what goes into them rounded to bf16, as FlashAttention has it. Rows hold
// their bf16 in order, W to a row; words hold two neighbours of the depth of a product, a row of words for each two. Both are padded with zeros
// to whole tile registers.
#ifndef ATOLL_ATTENTION_AMX_H
#define ATOLL_ATTENTION_AMX_H

#include "attention_tile.h"
#include "gemm_pack.h"

// by_tiles tells whether a call is computed here.
inl int by_tiles(const attention_call *k) {
#ifdef NATIVE_AMX
	return k->c->precision == DT_BF16;
#else
	(void)k;
	return 0;
#endif
}

#ifdef NATIVE_AMX
enum { BF16_WORDS = 32 }; // values of bf16 in a row of a tile register, and rows in two registers

// whole is n rounded up to that.
inl int64_t whole(int64_t n) { return pieces(n, BF16_WORDS) * BF16_WORDS; }

// row_product is out [rows,PANEL] (+)= a·b: a has rows of W values of which steps count, b words [steps/2,PANEL], ld floats from one row of out and
// words floats from one of b to the next. rows and steps are whole.
inl void row_product(float *out, int64_t ld, const uint16_t *a, int64_t W, const float *b, int64_t words, int64_t rows, int64_t steps, int add) {
	for (; rows > 0; rows -= AMX_ROWS, out += AMX_ROWS * ld, a += AMX_ROWS * W) {
		if (add) amx_load_sums(out, ld * 4);
		else amx_clear_sums();
		for (int64_t s = 0; s < steps; s += BF16_WORDS) {
			const float *at = b + s / 2 * words;
			amx_bf16(a + s, a + s + AMX_ROWS / 2 * W, W * 2, at, at + VL, words * 4);
		}
		amx_store_sums(out, ld * 4);
	}
}

// slice_row is where row t of a head begins.
inl const uint16_t *slice_row(head_slice h, int64_t t) { return (const uint16_t *)h.start + h.at + t * h.stride; }

inl void store_words(uint16_t *to, vf words) { memcpy(to, &words, sizeof words); }

// copy_rows makes rows of W from rows from..from+n-1 of a head, and zeros up to whole.
static void copy_rows(uint16_t *to, int64_t W, head_slice h, int64_t from, int64_t n, int64_t D) {
	for (int64_t r = 0; r < whole(n); r++, to += W) {
		const uint16_t *row = slice_row(h, from + r);
		// Rows lie pages apart, where the processor does not prefetch by itself.
		for (int64_t i = 0; i < D * 2; i += 64) __builtin_prefetch((const char *)(row + AHEAD * h.stride) + i);
		for (int64_t d = 0; d < W; d += BF16_WORDS) store_words(to + d, r < n ? load_words(row, d, at_least_0(D - d), BF16_TO_WORDS) : vzero());
	}
}

// turn_rows makes words [W/2,PANEL] from the same rows, at most PANEL: a column for each.
static void turn_rows(float *to, int64_t W, head_slice h, int64_t from, int64_t n, int64_t D) {
	for (int64_t first = 0; first < PANEL; first += VL)
		for (int64_t d = 0; d < W; d += BF16_WORDS) {
			vf block[VL];
			for (int64_t i = 0; i < VL; i++)
				block[i] = first + i < n ? load_words(slice_row(h, from + first + i), d, at_least_0(D - d), BF16_TO_WORDS) : vzero();
			transpose(block);
			for (int64_t i = 0; i < VL; i++) vstore(to + (d / 2 + i) * PANEL + first, block[i]);
		}
}

// row_pair is VL words of rows r and r+1 of n, at columns d..: zeros beyond n and D.
inl vf row_pair(head_slice h, int64_t from, int64_t r, int64_t n, int64_t d, int64_t D) {
	return r < n ? pair_rows(slice_row(h, from + r), d, h.stride, at_least_0(D - d), r + 1 < n, BF16_TO_WORDS) : vzero();
}

// pair_columns makes words [depth/2,W] from n rows: a row for each two.
static void pair_columns(float *to, int64_t W, head_slice h, int64_t from, int64_t n, int64_t depth, int64_t D) {
	for (int64_t r = 0; r < depth; r += 2, to += W)
		for (int64_t d = 0; d < W; d += VL) vstore(to + d, row_pair(h, from, r, n, d, D));
}

// turn_columns makes rows of width values, one for each column of D, from n rows: zeros beyond n, up to whole.
static void turn_columns(uint16_t *to, int64_t width, head_slice h, int64_t from, int64_t n, int64_t D) {
	for (int64_t d = 0; d < whole(D); d += VL)
		for (int64_t r = 0; r < whole(n); r += BF16_WORDS) {
			vf block[VL];
			for (int64_t i = 0; i < VL; i++) block[i] = row_pair(h, from, r + 2 * i, n, d, D);
			transpose(block);
			for (int64_t i = 0; i < VL; i++) store_words(to + (d + i) * width + r, block[i]);
		}
}

// narrow_row is the PANEL values of a row of scores in bf16.
inl vf narrow_row(const float *row) { return two_to_bf16(vload(row), vload(row + VL)); }

// pair_scores makes words [depth/2,PANEL] from keys rows of scores [keys,PANEL], zeros beyond them.
static void pair_scores(float *to, const float *scores, int64_t keys) {
	for (int64_t s = 0; s < whole(keys); s += 2, to += PANEL)
		for (int at = 0; at < PANEL; at += VL)
			vstore(to + at, s < keys ? interleave(two_to_bf16(vload(scores + s * PANEL + at), s + 1 < keys ? vload(scores + (s + 1) * PANEL + at) : vzero()))
				: vzero());
}

// narrow_scores makes rows of PANEL values from them, zeros up to whole.
static void narrow_scores(uint16_t *to, const float *scores, int64_t keys) {
	for (int64_t s = 0; s < whole(keys); s++) store_words(to + s * PANEL, s < keys ? narrow_row(scores + s * PANEL) : vzero());
}
#endif

#endif
