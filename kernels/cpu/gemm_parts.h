// fp32 by AMX: each value is the sum of three parts in bf16, so a product is that of nine pairs of parts, of which the three smallest are left
// out.
//
// The first part is a value's upper half, the second what is left, rounded to bf16, the third the rest, which bf16 holds exactly. What is left
// out is below 2^-22 of a product and has either sign. Of normally distributed numbers it is 2^-26.1 in the mean, where rounding a product to
// fp32 costs 2^-25.5 (docs/log.md, 2026-11-26). Parts below 2^-126 count as zeros, as AMX takes them. An infinity gives
// NaN, since it meets parts that are zeros. Sums are those of fp32.
#ifndef ATOLL_GEMM_PARTS_H
#define ATOLL_GEMM_PARTS_H

#include "gemm_packed.h"

#ifdef NATIVE_AMX
// A group is PART_DEPTH values of depth: for each part 16 words, each of which holds the values at one depth and at 16 more.
enum { PARTS = 3, PART_DEPTH = 2 * AMX_STEPS, PART_FLOATS = AMX_STEPS * AMX_ROWS, GROUP_FLOATS = PARTS * PART_FLOATS };

inl vf upper_halves(vf first, vf second) { return (vf)((vu)first >> 16 | ((vu)second & vset_u(0xffff0000))); }

inl vf upper(vf x) { return (vf)((vu)x & vset_u(0xffff0000)); }

// split_words stores the words of both vectors' three parts, PART_FLOATS apart.
inl void split_words(float *to, vf first, vf second) {
	vstore(to, upper_halves(first, second));
	first -= upper(first), second -= upper(second);
	const vf a = (vf)((vu)first + vset_u(0x8000)), b = (vf)((vu)second + vset_u(0x8000));
	vstore(to + PART_FLOATS, upper_halves(a, b));
	vstore(to + 2 * PART_FLOATS, upper_halves(first - upper(a), second - upper(b)));
}

// A block of VL elements of a group as it lies in memory: line i, of an element or of a depth, begins ld floats behind the one before, and what
// belongs to the later half of the group stands at second.
typedef struct {
	const float *first, *second;
	int64_t ld;
	int64_t lines[2], width[2]; // of both halves: how many lines are there, and how many values of a line
} group_block;

inl group_block block_at(const gemm_operand *p, int64_t j, int64_t inside, int64_t k, int64_t left) {
	const float *first = (const float *)p->start + (p->by_depth ? k * p->ld + j : j * p->ld + k);
	const int64_t later = at_least_0(left - VL);
	return (group_block){first, first + (p->by_depth ? VL * p->ld : VL), p->ld,
		{p->by_depth ? left : inside, p->by_depth ? later : inside}, {p->by_depth ? inside : left, p->by_depth ? inside : later}};
}

// load_line is VL values of line i of a half, zeros where there are none.
inl vf load_line(const group_block *b, int half, int64_t i, int whole) {
	const float *line = (half ? b->second : b->first) + i * b->ld;
	if (whole) return vload(line);
	return i >= b->lines[half] ? vzero() : b->width[half] >= VL ? vload(line) : vload_n(line, at_least_0(b->width[half]));
}

// split_block makes its words: step floats from one line's to the next, or where turn is set from one value's in the lines. whole: nothing is missing.
inl void split_block(float *to, int64_t step, const group_block *b, int turn, int whole) {
	vf first[VL], second[VL];
	if (!turn) {
		for (int i = 0; i < VL; i++) split_words(to + i * step, load_line(b, 0, i, whole), load_line(b, 1, i, whole));
		return;
	}
#pragma GCC unroll 16
	for (int i = 0; i < VL; i++) first[i] = load_line(b, 0, i, whole);
	transpose(first);
#pragma GCC unroll 16
	for (int i = 0; i < VL; i++) second[i] = load_line(b, 1, i, whole);
	transpose(second);
#pragma GCC unroll 16
	for (int i = 0; i < VL; i++) split_words(to + i * step, first[i], second[i]);
}

// split fills panels panels of 32 elements from element j on, each for depths k..k+kc-1, stride floats apart: rows hold their words in order,
// columns lie side by side.
inl void split(float *to, const gemm_operand *p, int64_t j, int64_t panels, int64_t stride, int64_t k, int64_t kc, int columns) {
	const int64_t across = columns ? VL : VL * AMX_STEPS, step = columns ? NR : AMX_STEPS;
	const int turn = columns ? !p->by_depth : p->by_depth;
	for (int64_t q = 0; q < panels; q++, j += NR, to += stride)
		for (int64_t s = 0; s < kc; s += PART_DEPTH)
			for (int64_t e = 0; e < NR; e += VL) {
				float *at = to + s / PART_DEPTH * GROUP_FLOATS + e / VL * across;
				const group_block b = block_at(p, j + e, p->count - j - e, k + s, kc - s);
				if (p->count - j - e >= VL && kc - s >= PART_DEPTH) split_block(at, step, &b, turn, 1);
				else split_block(at, step, &b, turn, 0);
			}
}

static void split_rows(float *to, const gemm_operand *p, int64_t j, int64_t panels, int64_t stride, int64_t k, int64_t kc) {
	split(to, p, j, panels, stride, k, kc, 0);
}

static void split_columns(float *to, const gemm_operand *p, int64_t j, int64_t k, int64_t kc) { split(to, p, j, 1, 0, k, kc, 1); }

// split_lines makes the words of LINE columns of a group from a panel of fp32.
inl void split_lines(float *to, const float *panel, int64_t left) {
	const gemm_operand lines = {panel, LINE, LINE, left, DT_F32, 1};
	const group_block b = block_at(&lines, 0, LINE, 0, left);
	if (left >= PART_DEPTH) split_block(to, NR, &b, 0, 1);
	else split_block(to, NR, &b, 0, 0);
}

// split_pairs is the same from words of bf16, whose other parts are zeros.
inl void split_pairs(float *to, const float *panel, int64_t left) {
	float lines[PART_DEPTH * LINE];
	for (int64_t s = 0; s < PART_DEPTH; s += 2) {
		const vf words = s < left ? vload(panel + s / 2 * LINE) : vzero();
		vstore(lines + s * LINE, first_of(words));
		vstore(lines + (s + 1) * LINE, s + 1 < left ? second_of(words) : vzero());
	}
	split_lines(to, lines, PART_DEPTH);
}

// split_packed is split_columns of a packed weight, which has whole panels.
static void split_packed(float *to, const packed_weight *w, int64_t j, int64_t k, int64_t kc) {
	for (int64_t s = 0; s < kc; s += PART_DEPTH, to += GROUP_FLOATS)
		for (int64_t half = 0; half < NR; half += LINE) {
			const float *panel = packed_at(w, j + half, k + s);
			if (w->format == FORMAT_BF16) split_pairs(to + half, panel, kc - s);
			else split_lines(to + half, panel, kc - s);
		}
}

// Loads of a part's two tile registers, and the products of those that are loaded with all 32 rows, or with the upper 16.
#define UPPER_A(part) "tileloadd " part "*2048(%[a], %[line], 1), %%tmm4\n\t"
#define LOAD_A(part) UPPER_A(part) "tileloadd " part "*2048+1024(%[a], %[line], 1), %%tmm5\n\t"
#define LOAD_B(part) "tileloadd " part "*2048(%[b], %[step], 1), %%tmm6\n\ttileloadd " part "*2048+64(%[b], %[step], 1), %%tmm7\n\t"
#define UPPER_PRODUCTS "tdpbf16ps %%tmm6, %%tmm4, %%tmm0\n\ttdpbf16ps %%tmm7, %%tmm4, %%tmm1\n\t"
#define PRODUCTS UPPER_PRODUCTS "tdpbf16ps %%tmm6, %%tmm5, %%tmm2\n\ttdpbf16ps %%tmm7, %%tmm5, %%tmm3\n\t"

// MULTIPLY_GROUP adds a group: six products of parts, the smaller ones first, each with one operand of the one before.
#define MULTIPLY_GROUP(name, a_part, products)                                                                                     \
	inl void name(const float *a, const float *b) {                                                                                \
		__asm__ volatile(LOAD_B("0") a_part("2") products a_part("1") products LOAD_B("1") products a_part("0") products          \
			LOAD_B("2") products LOAD_B("0") products                                                                             \
			: : [a] "r"(a), [line] "r"((int64_t)AMX_STEPS * 4), [b] "r"(b), [step] "r"((int64_t)NR * 4) : "memory");               \
	}
MULTIPLY_GROUP(multiply_parts, LOAD_A, PRODUCTS)
MULTIPLY_GROUP(multiply_upper_parts, UPPER_A, UPPER_PRODUCTS)

// tile_parts is c [32,NR] (+)= a·b over groups of depth, or only its upper 16 rows; where to is not NULL the sums go there, and c only holds those
// of earlier blocks.
static void tile_parts(int64_t groups, const float *a, const float *b, float *c, int add, int upper, const plain_tile *to, tile_fetches *f) {
	const int64_t lines = pieces(f->lines, larger(groups, 1)), rows = pieces(AMX_ROWS, larger(groups, 1));
	if (add) amx_load_sums(c, NR * 4);
	else amx_clear_sums();
	for (; groups > 0; groups--, a += GROUP_FLOATS, b += GROUP_FLOATS) {
		if (upper) multiply_upper_parts(a, b);
		else multiply_parts(a, b);
		between_groups(f, lines, rows);
	}
	if (to) amx_store_sums(to->y, to->ld * 4);
	else amx_store_sums(c, NR * 4);
}
#endif

#endif
