// Whole numbers from -127 to 127 in place of fp32, with one scale for a row of x or a column of w, as ref.Quantize gives them.
#ifndef ATOLL_QUANTIZE_H
#define ATOLL_QUANTIZE_H

#include "gemm_pack.h"
#include "lanes.h"

#define LEAST_QUANTIZED 0x1p-120f

typedef int8_t vq __attribute__((vector_size(VL)));
typedef int16_t vq2 __attribute__((vector_size(2 * VL)));

// The magnitudes of numbers are ordered as their bits are, infinities and NaNs above all others.
inl vi magnitude(vf v) { return (vi)((vu)v & vset_u(0x7fffffff)); }
inl vi larger_of(vi a, vi b) { return (vi)vsel(a > b, (vf)a, (vf)b); }

// scales_of gives, from the bits of the largest magnitudes, the scales, and in inverse what the numbers are multiplied by.
inl vf scales_of(vi largest, vf *inverse) {
	const vf most = (vf)largest;
	const vi finite = largest < (vi)vset_u(0x7f800000), some = ~(most < vset(LEAST_QUANTIZED));
	*inverse = vsel(finite & some, vset(127) / most, vzero());
	return vsel(finite, vsel(some, most / vset(127), vzero()), (vf)vset_u(0x7fc00000));
}

// quantized is v*inverse rounded to the nearest whole number, ties to even: adding 1.5 * 2^23 leaves it in the lowest bits.
// Where inverse is 0 it is 0, whatever v is.
inl vi quantized(vf v, vf inverse) {
	const vi whole = (vi)(v * inverse + vset(TO_WHOLE)) - (vi)vset_u(0x4b400000);
	return whole & (vi)(inverse > vzero());
}

// quantize_row_as fills q [width], whole numbers of size bytes (1 or 2) of which n are numbers of x and the rest zeros, and sets the
// scale. width is a multiple of LINE.
inl void quantize_row_as(void *q, const int size, int64_t width, float *scale, const void *x, int64_t from, int64_t n, uint32_t dtype) {
	vi most = {0};
	for (int64_t i = 0; i < n; i += VL) most = larger_of(most, magnitude(vload_act_to(x, from + i, from + n, dtype)));
	int32_t largest = 0;
	for (int lane = 0; lane < VL; lane++) largest = largest > most[lane] ? largest : most[lane];
	vf inverse;
	*scale = scales_of((vi)vset_u((uint32_t)largest), &inverse)[0];
	for (int64_t i = 0; i < n; i += VL) {
		const vi whole = quantized(vload_act_to(x, from + i, from + n, dtype), inverse);
		const vq bytes = __builtin_convertvector(whole, vq);
		const vq2 pairs = __builtin_convertvector(whole, vq2);
		memcpy((char *)q + i * size, size == 1 ? (const void *)&bytes : &pairs, (size_t)(VL * size));
	}
	const int64_t done = pieces(n, VL) * VL;
	memset((char *)q + done * size, 0, (size_t)((width - done) * size));
}

// The rows of x, each with a scale of its own.
typedef struct {
	const gemm_operand *x;
	char *numbers; // [M,width]
	float *scales; // [M]
	int64_t width;
	int size; // bytes of a number
} quantized_rows;

static void quantize_row(void *arg, int64_t m, int worker) {
	const quantized_rows *r = arg;
	const gemm_operand *x = r->x;
	char *to = r->numbers + m * r->width * r->size;
	(void)worker;
	if (r->size == 1) BY_DTYPE(x->dtype, quantize_row_as, to, 1, r->width, r->scales + m, x->start, m * x->depth, x->depth);
	else BY_DTYPE(x->dtype, quantize_row_as, to, 2, r->width, r->scales + m, x->start, m * x->depth, x->depth);
}

// quantize_rows quantizes M rows of x to memory that all of the team share, and is 0, or the bytes that the machine refused.
static size_t quantize_rows(quantized_rows *r, team *t) {
	const int64_t M = r->x->count;
	r->width = pieces(r->x->depth, LINE) * LINE;
	const size_t bytes = (size_t)M * ((size_t)(r->width * r->size) + sizeof *r->scales);
	r->numbers = team_shared(t, bytes);
	if (!r->numbers) return bytes;
	r->scales = (float *)(r->numbers + M * r->width * r->size);
	team_for(t, M, quantize_row, r);
	return 0;
}

// quantize_panel makes a panel of int8 from one of fp32 [K,LINE]: the columns' scales, then four steps of K in a word.
static void quantize_panel(float *to, const float *from, int64_t K) {
	for (int g = 0; g < LINE; g += VL) {
		vi most = {0};
		for (int64_t k = 0; k < K; k++) most = larger_of(most, magnitude(vload(from + k * LINE + g)));
		vf inverse;
		vstore(to + g, scales_of(most, &inverse));
		float *words = to + LINE + g;
		for (int64_t k = 0; k < K; k += 4, words += LINE) {
			vu word = {0};
			for (int i = 0; i < 4 && k + i < K; i++)
				word |= ((vu)quantized(vload(from + (k + i) * LINE + g), inverse) & vset_u(0xff)) << (8 * i);
			vstore(words, (vf)word);
		}
	}
}

#endif
