// The innermost product by AMX: 32 x 32 sums in four tile registers, on operands whose words hold two bf16 or four int8 of the depth.
//
// A tile register is 16 rows of 16 words. Of bf16 the instruction sums a step of 16 words in two chains, of the words' lower and upper
// halves, adds them, and adds that to the sum (Intel's manual, TDPBF16PS): a sum's bits depend on its row, its column and K only. Of int8
// sums are exact.
#ifndef ATOLL_GEMM_AMX_H
#define ATOLL_GEMM_AMX_H

#include "gemm_tile.h"

#ifdef NATIVE_AMX
enum { AMX_ROWS = 32, AMX_STEPS = 16 };

// amx_begin makes all eight tile registers of this thread 16 x 16 words, and amx_end gives them back: a thread that has none in use is cheaper
// to interrupt. Between them the thread may use vectors, too.
static void amx_begin(void) {
	static const struct {
		uint8_t palette, start, reserved[14];
		uint16_t row_bytes[16];
		uint8_t rows[16];
	} shape = {1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
	__asm__ volatile("ldtilecfg %0" : : "m"(shape));
}
static void amx_end(void) { __asm__ volatile("tilerelease" : : : "memory"); }

// AMX_GROUP adds to the four sums a group of 16 words: of 16 rows of a and the 16 below them, line bytes from row to row, and of two columns of b,
// step bytes from word to word.
#define AMX_GROUP(name, instruction)                                                                             \
	inl void name(const void *a, const void *below, int64_t line, const float *left, const float *right, int64_t step) { \
		__asm__ volatile(                                                                                        \
			"tileloadd (%[left], %[step], 1), %%tmm6\n\t"                                                       \
			"tileloadd (%[a], %[line], 1), %%tmm4\n\t"                                                          \
			"tileloadd (%[right], %[step], 1), %%tmm7\n\t"                                                      \
			instruction " %%tmm6, %%tmm4, %%tmm0\n\t"                                                           \
			"tileloadd (%[below], %[line], 1), %%tmm5\n\t"                                                      \
			instruction " %%tmm7, %%tmm4, %%tmm1\n\t"                                                           \
			instruction " %%tmm6, %%tmm5, %%tmm2\n\t"                                                           \
			instruction " %%tmm7, %%tmm5, %%tmm3"                                                                \
			:                                                                                                    \
			: [a] "r"(a), [below] "r"(below), [line] "r"(line), [left] "r"(left), [right] "r"(right), [step] "r"(step) \
			: "memory");                                                                                         \
	}
AMX_GROUP(amx_bf16, "tdpbf16ps")
AMX_GROUP(amx_int8, "tdpbssd")

// Where the operands of a product lie, in floats: rows of a are line apart and groups of 16 words next_a; words of b are step apart, its second 16
// columns second behind the first, and groups next_b.
typedef struct {
	int64_t line, next_a, step, second, next_b;
} amx_places;

// Rows of a as packing leaves them.
enum { PACKED_LINE = AMX_STEPS, PACKED_NEXT = AMX_STEPS * AMX_ROWS };

inl void amx_some(int int8, const amx_places *p, const float *a, const float *b, int64_t second, int64_t step) {
	if (int8) amx_int8(a, a + 16 * p->line, p->line * 4, b, b + second, step * 4);
	else amx_bf16(a, a + 16 * p->line, p->line * 4, b, b + second, step * 4);
}

// meanwhile is what vectors do while the tile unit multiplies.
inl void meanwhile(tile_fetches *f) {
	if (f->meanwhile) f->meanwhile(f->of);
}

// amx_groups adds groups of them, one after the other.
inl void amx_groups(int int8, int64_t groups, const float *a, const float *b, const amx_places *p, tile_fetches *f) {
	const int64_t lines = pieces(f->lines, larger(groups, 1)), rows = pieces(AMX_ROWS, larger(groups, 1));
	for (; groups > 0; groups--, a += p->next_a, b += p->next_b) {
		amx_some(int8, p, a, b, p->second, p->step);
		fetch_for_tile(f, lines, rows);
		meanwhile(f);
	}
}

// The sums are 32 x 32, ld bytes from row to row.
inl void amx_load_sums(const float *c, int64_t ld) {
	__asm__ volatile("tileloadd (%0, %1, 1), %%tmm0\n\ttileloadd 64(%0, %1, 1), %%tmm1\n\t"
		"tileloadd (%2, %1, 1), %%tmm2\n\ttileloadd 64(%2, %1, 1), %%tmm3"
		: : "r"(c), "r"(ld), "r"((const char *)c + 16 * ld) : "memory");
}
inl void amx_clear_sums(void) {
	__asm__ volatile("tilezero %%tmm0\n\ttilezero %%tmm1\n\ttilezero %%tmm2\n\ttilezero %%tmm3" : : : "memory");
}
inl void amx_store_sums(float *c, int64_t ld) {
	__asm__ volatile("tilestored %%tmm0, (%0, %1, 1)\n\ttilestored %%tmm1, 64(%0, %1, 1)\n\t"
		"tilestored %%tmm2, (%2, %1, 1)\n\ttilestored %%tmm3, 64(%2, %1, 1)"
		: : "r"(c), "r"(ld), "r"((char *)c + 16 * ld) : "memory");
}

// tile_amx is c [32,NR] (+)= a·b over steps words of depth; where to is not NULL the sums go there, and c only holds those of earlier blocks.
// What a holds behind the last step is zeros; what b holds there is not read. Meanwhile it fetches.
static void tile_amx(int int8, int64_t steps, const float *a, const float *b, const amx_places *p, float *c, int add, const plain_tile *to, tile_fetches *f) {
	const int64_t groups = steps / AMX_STEPS, rest = steps % AMX_STEPS;
	if (add) amx_load_sums(c, NR * 4);
	else amx_clear_sums();
	if (int8) amx_groups(1, groups, a, b, p, f);
	else amx_groups(0, groups, a, b, p, f);
	if (rest) {
		float last[AMX_STEPS * NR];
		b += groups * p->next_b;
		for (int64_t s = 0; s < AMX_STEPS; s++) {
			vstore(last + s * NR, s < rest ? vload(b + s * p->step) : vzero());
			vstore(last + s * NR + VL, s < rest ? vload(b + s * p->step + p->second) : vzero());
		}
		amx_some(int8, p, a + groups * p->next_a, last, VL, NR);
	}
	if (to) amx_store_sums(to->y, to->ld * 4);
	else amx_store_sums(c, NR * 4);
}
#else
enum { AMX_ROWS = 0, AMX_STEPS = 0 };
inl void amx_begin(void) {}
inl void amx_end(void) {}
#endif

#endif
