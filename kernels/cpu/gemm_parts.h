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
enum { PARTS = 3, PRODUCTS_OF_PARTS = 6, PART_DEPTH = 2 * AMX_STEPS, PART_FLOATS = AMX_STEPS * AMX_ROWS, GROUP_FLOATS = PARTS * PART_FLOATS };

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

// A block is VL elements of a group: their lines lie ld floats apart, those of the group's later half of depth from second on. A line is an element
// where the operand is contiguous along depth, else a depth. Its words are made in pieces of SPLIT_LINES lines. Where what words stand in are not the
// lines, a piece is turned first: it takes so many values of each line.
enum { GROUP_BLOCKS = NR / VL, SPLIT_LINES = 4, BLOCK_PIECES = VL / SPLIT_LINES };
typedef struct {
	float *to; // NULL: all pieces are made
	const float *first, *second;
	int64_t ld, step; // step: floats from one line's words to the next
	int turn, piece;  // of BLOCK_PIECES pieces, those before piece are made
	float *sums;      // what the lines of a block that is not turned are added to; NULL: nothing
	int64_t ahead;    // where the next block begins, in floats from this one: it is fetched meanwhile
} split_block;

// turns tells whether packing an operand's rows or columns turns blocks.
inl int turns(const gemm_operand *p, int columns) { return columns ? !p->by_depth : p->by_depth; }

// turn_some gives SPLIT_LINES neighbours of each of VL lines as that many vectors. Quarters of vectors come from memory to their places, which
// needs half the shuffles of transpose.
inl void turn_some(vf to[SPLIT_LINES], const float *from, int64_t ld) {
	__m512 r[4];
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++) {
		const float *line = from + i * ld;
		r[i] = _mm512_castps128_ps512(_mm_loadu_ps(line));
		r[i] = _mm512_insertf32x4(r[i], _mm_loadu_ps(line + 4 * ld), 1);
		r[i] = _mm512_insertf32x4(r[i], _mm_loadu_ps(line + 8 * ld), 2);
		r[i] = _mm512_insertf32x4(r[i], _mm_loadu_ps(line + 12 * ld), 3);
	}
	const __m512d low = (__m512d)_mm512_unpacklo_ps(r[0], r[1]), high = (__m512d)_mm512_unpackhi_ps(r[0], r[1]);
	const __m512d low2 = (__m512d)_mm512_unpacklo_ps(r[2], r[3]), high2 = (__m512d)_mm512_unpackhi_ps(r[2], r[3]);
	to[0] = (vf)_mm512_unpacklo_pd(low, low2), to[1] = (vf)_mm512_unpackhi_pd(low, low2);
	to[2] = (vf)_mm512_unpacklo_pd(high, high2), to[3] = (vf)_mm512_unpackhi_pd(high, high2);
}

// split_some makes the next piece.
inl void split_some(split_block *b) {
	const split_block now = *b;
	float *to = now.to;
	b->piece++;
	if (!to) return;
	b->to = to + SPLIT_LINES * now.step;
	const int64_t from = now.piece * SPLIT_LINES * now.ld;
	for (int i = 0; i < SPLIT_LINES; i++) {
		__builtin_prefetch(now.first + now.ahead + from + i * now.ld, 0, 3);
		__builtin_prefetch(now.second + now.ahead + from + i * now.ld, 0, 3);
	}
	if (now.turn) {
		vf first[SPLIT_LINES], second[SPLIT_LINES];
		turn_some(first, now.first + now.piece * SPLIT_LINES, now.ld);
		turn_some(second, now.second + now.piece * SPLIT_LINES, now.ld);
#pragma GCC unroll 4
		for (int i = 0; i < SPLIT_LINES; i++) split_words(to + i * now.step, first[i], second[i]);
		return;
	}
	vf sum = vzero();
#pragma GCC unroll 4
	for (int i = 0; i < SPLIT_LINES; i++) {
		const vf first = vload(now.first + from + i * now.ld), second = vload(now.second + from + i * now.ld);
		split_words(to + i * now.step, first, second);
		sum += first + second;
	}
	if (now.sums) vstore(now.sums, vload(now.sums) + sum);
}

// split_edge makes all of a block of which inside elements and left depths are there, zeros standing for the rest.
static void split_edge(float *to, int64_t step, const gemm_operand *p, const float *first, int64_t inside, int64_t left, int turn, float *sums) {
	vf half[2][VL];
	for (int h = 0; h < 2; h++) {
		const float *from = first + (p->by_depth ? VL * p->ld : VL) * h;
		const int64_t depth = left - h * VL, lines = p->by_depth ? depth : inside, width = at_least_0(p->by_depth ? inside : depth);
		for (int i = 0; i < VL; i++) half[h][i] = i >= lines ? vzero() : width >= VL ? vload(from + i * p->ld) : vload_n(from + i * p->ld, width);
		for (int i = 0; sums && i < VL; i++) vstore(sums, vload(sums) + half[h][i]);
		if (turn) transpose(half[h]);
	}
	for (int i = 0; i < VL; i++) split_words(to + i * step, half[0][i], half[1][i]);
}

// block_of_operand is the block of elements from j on at the depths from k on, of which left are there. One that is not whole is made at once.
static split_block block_of_operand(float *to, int64_t step, const gemm_operand *p, int64_t j, int64_t k, int64_t left, int turn, int64_t ahead,
	float *sums) {
	const float *first = (const float *)p->start + (p->by_depth ? k * p->ld + j : j * p->ld + k);
	if (p->count - j >= VL && left >= PART_DEPTH) return (split_block){to, first, first + (p->by_depth ? VL * p->ld : VL), p->ld, step, turn, 0, sums, ahead};
	split_edge(to, step, p, first, p->count - j, left, turn, sums);
	return (split_block){0};
}

// packed_line is line s of a packed weight's panel: of bf16, whose other parts are zeros, half of a word.
inl vf packed_line(const packed_weight *w, const float *panel, int64_t s) {
	if (w->format == FORMAT_F32) return vload(panel + s * LINE);
	const vf words = vload(panel + s / 2 * LINE);
	return s % 2 ? second_of(words) : first_of(words);
}

// packed_block is block_of_operand of a packed weight, which has whole panels.
static split_block packed_block(float *to, const packed_weight *w, int64_t j, int64_t k, int64_t left) {
	const float *panel = packed_at(w, j, k);
	if (w->format == FORMAT_F32 && left >= PART_DEPTH) return (split_block){to, panel, panel + VL * LINE, LINE, NR, 0, 0, NULL, 0};
	for (int i = 0; i < VL; i++, to += NR)
		split_words(to, i < left ? packed_line(w, panel, i) : vzero(), VL + i < left ? packed_line(w, panel, VL + i) : vzero());
	return (split_block){0};
}

// Loads of a part's two tile registers, and the products of those that are loaded with all 32 rows, or with the upper 16.
#define UPPER_A(part) "tileloadd " part "*2048(%[a], %[line], 1), %%tmm4\n\t"
#define LOAD_A(part) UPPER_A(part) "tileloadd " part "*2048+1024(%[a], %[line], 1), %%tmm5\n\t"
#define LOAD_B(part) "tileloadd " part "*2048(%[b], %[step], 1), %%tmm6\n\ttileloadd " part "*2048+64(%[b], %[step], 1), %%tmm7\n\t"
#define UPPER_PRODUCTS "tdpbf16ps %%tmm6, %%tmm4, %%tmm0\n\ttdpbf16ps %%tmm7, %%tmm4, %%tmm1\n\t"
#define PRODUCTS UPPER_PRODUCTS "tdpbf16ps %%tmm6, %%tmm5, %%tmm2\n\ttdpbf16ps %%tmm7, %%tmm5, %%tmm3\n\t"

// PARTS_STEP makes statements for the group at a and b.
#define PARTS_STEP(statements) \
	__asm__ volatile(statements : : [a] "r"(a), [line] "r"((int64_t)AMX_STEPS * 4), [b] "r"(b), [step] "r"((int64_t)NR * 4) : "memory")

// MULTIPLY_GROUP adds a group whose first operands are loaded: six products of parts, the smaller ones first, each with one operand of the one before.
// It loads the next operands, at the end those of the group next floats on, before what vectors do meanwhile, so that the tile unit need
// not wait for them.
#define MULTIPLY_GROUP(name, load_a, products)                                      \
	inl void name(const float *a, const float *b, int64_t next, tile_fetches *f) {   \
		PARTS_STEP(products load_a("1"));                                           \
		meanwhile(f);                                                               \
		PARTS_STEP(products LOAD_B("1"));                                           \
		meanwhile(f);                                                               \
		PARTS_STEP(products load_a("0"));                                           \
		meanwhile(f);                                                               \
		PARTS_STEP(products LOAD_B("2"));                                           \
		meanwhile(f);                                                               \
		PARTS_STEP(products LOAD_B("0"));                                           \
		meanwhile(f);                                                               \
		PARTS_STEP(products);                                                       \
		a += next, b += next;                                                       \
		PARTS_STEP(LOAD_B("0") load_a("2"));                                        \
		meanwhile(f);                                                               \
	}
MULTIPLY_GROUP(multiply_parts, LOAD_A, PRODUCTS)
MULTIPLY_GROUP(multiply_upper_parts, UPPER_A, UPPER_PRODUCTS)

inl void load_first_parts(const float *a, const float *b) { PARTS_STEP(LOAD_B("0") LOAD_A("2")); }

// tile_parts is c [32,NR] (+)= a·b over groups of depth, or only its upper 16 rows; where to is not NULL the sums go there, and c only holds those
// of earlier blocks.
static void tile_parts(int64_t groups, const float *a, const float *b, float *c, int add, int upper, const plain_tile *to, tile_fetches *f) {
	const int64_t lines = pieces(f->lines, larger(groups, 1)), rows = pieces(AMX_ROWS, larger(groups, 1));
	if (add) amx_load_sums(c, NR * 4);
	else amx_clear_sums();
	if (groups > 0) load_first_parts(a, b);
	for (; groups > 0; groups--, a += GROUP_FLOATS, b += GROUP_FLOATS) {
		const int64_t next = groups > 1 ? GROUP_FLOATS : 0;
		if (upper) multiply_upper_parts(a, b, next, f);
		else multiply_parts(a, b, next, f);
		fetch_for_tile(f, lines, rows);
	}
	if (to) amx_store_sums(to->y, to->ld * 4);
	else amx_store_sums(c, NR * 4);
}
#endif

#endif
