// Weights that were packed before (kernels.Format): panels of LINE columns, a line of LINE words for each step of K, in pairs of
// panels, and in FORMAT_TWICE in groups of lines. Where a tile can read them as they lie it does; else a block is made that it can read.
#ifndef ATOLL_GEMM_PACKED_H
#define ATOLL_GEMM_PACKED_H

#include "gemm_pack.h"
#include "lanes.h"

typedef struct {
	const float *words; // NULL: there is no packed weight
	int64_t panel;      // words from the first panel of a pair to the second
	int64_t pair;       // words from pair to pair
	int64_t group;      // words from one group of GROUP_LINES lines of a panel to the next
	int64_t format;
} packed_weight;

enum { GROUP_LINES = 16, GROUP_WORDS = GROUP_LINES * LINE };

inl int64_t packed_per_word(int64_t format) { return format == FORMAT_F32 ? 1 : format == FORMAT_I8 ? 4 : 2; }

// packed_weight_of is a weight of K rows that begins at words. In int8 a panel begins with its columns' scales.
inl packed_weight packed_weight_of(const void *words, int64_t K, int64_t format) {
	const int64_t lines = pieces(K, packed_per_word(format)) + (format == FORMAT_I8);
	return (packed_weight){words, LINE * lines, 2 * LINE * lines, GROUP_WORDS, format};
}

// twice_of is a weight [I,O] in FORMAT_TWICE that begins at words, as linear reads it, or as linear.dx does (back).
enum { TWICE_ROWS = 32 };
inl packed_weight twice_of(const float *words, int64_t O, int back) {
	const int64_t block = TWICE_ROWS * O;
	if (back) return (packed_weight){words + block / 2, O / 2 * LINE, block, GROUP_WORDS, FORMAT_TWICE};
	return (packed_weight){words, GROUP_WORDS, 2 * GROUP_WORDS, block, FORMAT_TWICE};
}

inl int64_t packed_panels(int64_t N) { return 2 * pieces(N, 2 * LINE); }

// packed_steps is how many steps of a product's depth are in a line: numbers of k, or for int8 pairs of them (for AMX fours).
inl int64_t packed_steps(int64_t format) {
#ifdef NATIVE_AMX
	if (format == FORMAT_I8) return 1;
#endif
	return format == FORMAT_F32 ? 1 : 2;
}

// packed_at is the word of column j, a multiple of the vectors' length, at step k; a panel's scales are not counted.
inl const float *packed_at(const packed_weight *w, int64_t j, int64_t k) {
	const int64_t line = k / packed_steps(w->format);
	return w->words + j / (2 * LINE) * w->pair + j / LINE % 2 * w->panel + line / GROUP_LINES * w->group + line % GROUP_LINES * LINE + j % LINE;
}

// in_place tells whether the tile of a precision reads the words as they lie.
inl int in_place(const packed_weight *w, uint32_t precision) {
#ifdef NATIVE_AMX
	if (w->words && w->format == FORMAT_I8) return 1;
#endif
#ifdef NATIVE_AMX
	if (precision == DT_BF16) return w->words && w->format != FORMAT_F32;
#elif defined NATIVE_BF16
	if (precision == DT_BF16) return w->words && w->format == FORMAT_BF16;
#endif
	(void)precision;
	return w->words && w->format == FORMAT_F32;
}

static void tile_packed(const packed_weight *w, int64_t kc, const float *a, const float *b, float *c, int add, const plain_tile *to) {
#if defined NATIVE_BF16 && !defined NATIVE_AMX
	if (w->format == FORMAT_BF16) {
		tile_bf16_packed((kc + 1) / 2, a, b, w->panel, c, add);
		return;
	}
#endif
	tile_f32_packed(kc, a, b, w->panel, c, add, to);
}

// The two numbers of a word of bf16, the first of them in the lower half.
inl vf first_of(vf words) { return (vf)((vu)words << 16); }
inl vf second_of(vf words) { return (vf)((vu)words & vset_u(0xffff0000)); }

// The same of int8, two numbers in a word of 16 bits each.
inl vf first_pair(vf words) {
	const vi w = (vi)words;
	return (vf)((w << 24 >> 24 & (vi)vset_u(0xffff)) | w << 16 >> 24 << 16);
}
inl vf second_pair(vf words) {
	const vi w = (vi)words;
	return (vf)((w << 8 >> 24 & (vi)vset_u(0xffff)) | w >> 24 << 16);
}

#if defined NATIVE_BF16 && !defined NATIVE_AMX
// copy_columns makes a block [kc/2,NR] of words that lie in groups.
static void copy_columns(float *to, const packed_weight *w, int64_t j, int64_t k, int64_t kc) {
	for (int64_t s = 0; s < kc; s += 2, to += NR)
		for (int g = 0; g < NR; g += VL) vstore(to + g, vload(packed_at(w, j + g, k + s)));
}
#endif

// widen_columns makes a block [kc,NR] of fp32 from words of bf16, or of pairs from words of int8. With an odd kc another step follows it.
static void widen_columns(float *to, const packed_weight *w, int64_t j, int64_t k, int64_t kc) {
	for (int g = 0; g < NR; g += VL) {
		for (int64_t s = 0; s < kc; s += 2) {
			const vf pair = vload(packed_at(w, j + g, k + s));
			vstore(to + s * NR + g, w->format == FORMAT_I8 ? first_pair(pair) : first_of(pair));
			vstore(to + (s + 1) * NR + g, w->format == FORMAT_I8 ? second_pair(pair) : second_of(pair));
		}
	}
}

// packed_lines is the memory of a block of columns columns from j on.
inl fetches packed_lines(const packed_weight *w, int64_t j, int64_t columns, int64_t k, int64_t kc) {
	const int64_t lines = pieces(at_least_0(kc), packed_steps(w->format)), across = pieces(columns, LINE);
	if (w->group != GROUP_WORDS) // a group of all columns' panels after the other
		return (fetches){(const char *)packed_at(w, j, k), w->group * 4, across * GROUP_LINES, 0, lines * across};
	return (fetches){(const char *)packed_at(w, j, k), w->panel * 4, lines, 0, lines * across};
}

#endif
