// Packing: a block of an operand is copied into panels of MR rows or NR columns, [k][width], rounded to the product's
// precision on the way. What stands over the edge of the matrix is filled with zeros, so that the tile knows no edges.
#ifndef ATOLL_GEMM_PACK_H
#define ATOLL_GEMM_PACK_H

#include "gemm_amx.h"

// One operand of a product. Element j of its long side (a row of x, a column of w) at depth k stands at k*ld + j where
// by_depth, else at j*ld + k.
typedef struct {
	const void *start;
	int64_t ld, count, depth; // count: elements along the long side; depth: K
	uint32_t dtype;
	int by_depth;
} gemm_operand;

// How values are converted on the way: stored as, to the precision of. WORDS are pairs of bf16 along k.
enum conversion { F32_AS_IS, F32_TO_BF16, F32_TO_F16, BF16_AS_IS, F16_AS_IS, F32_TO_WORDS, BF16_TO_WORDS };

inl int in_words(enum conversion as) { return as >= F32_TO_WORDS; }

// load_some is n (VL at most) values from element i on, zeros after them.
inl vf load_some(const void *p, int64_t i, int64_t n, enum conversion as) {
	uint32_t dtype = as == BF16_AS_IS ? DT_BF16 : as == F16_AS_IS ? DT_F16 : DT_F32;
	vf v = n >= VL ? vload_act(p, i, dtype) : vload_act_n(p, i, n, dtype);
	return as == F32_TO_BF16 ? vround(v, DT_BF16) : as == F32_TO_F16 ? vround(v, DT_F16) : v;
}

inl int64_t at_least_0(int64_t n) { return n < 0 ? 0 : n; }

#ifdef NATIVE_BF16
// two_to_bf16 is 2*VL values of bf16 in their order. Numbers below the normal ones become zeros, as the products take them.
inl vf two_to_bf16(vf first, vf second) { return (vf)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first); }

// Words from 2*VL neighbours, of which n are valid.
inl vf load_words(const void *p, int64_t i, int64_t n, enum conversion as) {
	if (as == F32_TO_WORDS)
		return two_to_bf16(load_some(p, i, n, F32_AS_IS), load_some(p, i + VL, at_least_0(n - VL), F32_AS_IS));
	vh half[2];
	for (int h = 0; h < 2; h++) {
		int64_t left = at_least_0(n - h * VL);
		half[h] = left >= VL ? vload_h((const uint16_t *)p + i + h * VL) : vload_h_n((const uint16_t *)p + i + h * VL, left);
	}
	vf words;
	memcpy(&words, half, sizeof words);
	return words;
}

// interleave makes words of two halves of VL values each.
inl vf interleave(vf halves) {
	static const uint16_t pairs[2 * VL] = {0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14,
		30, 15, 31};
	return (vf)_mm512_permutexvar_epi16(_mm512_loadu_si512(pairs), (__m512i)halves);
}

// Words from two rows at k and k+1; the second is absent at the end of an odd depth.
inl vf pair_rows(const void *p, int64_t i, int64_t ld, int64_t n, int second, enum conversion as) {
	if (as == F32_TO_WORDS)
		return interleave(two_to_bf16(load_some(p, i, n, F32_AS_IS), second ? load_some(p, i + ld, n, F32_AS_IS) : vzero()));
	vu first = (vu)load_some(p, i, n, BF16_AS_IS) >> 16;
	return (vf)(second ? first | (vu)load_some(p, i + ld, n, BF16_AS_IS) : first);
}
#endif

// transpose turns VL vectors of VL into their columns.
inl void transpose(vf r[VL]) {
#if VL == 16
	__m512 a[16], b[16];
	for (int i = 0; i < 16; i += 2) {
		a[i] = _mm512_unpacklo_ps((__m512)r[i], (__m512)r[i + 1]);
		a[i + 1] = _mm512_unpackhi_ps((__m512)r[i], (__m512)r[i + 1]);
	}
	for (int i = 0; i < 16; i += 4) {
		for (int j = 0; j < 2; j++) {
			b[i + 2 * j] = _mm512_shuffle_ps(a[i + j], a[i + 2 + j], 0x44);
			b[i + 2 * j + 1] = _mm512_shuffle_ps(a[i + j], a[i + 2 + j], 0xee);
		}
	}
	for (int j = 0; j < 4; j++) {
		__m512 even_low = _mm512_shuffle_f32x4(b[j], b[4 + j], 0x88), even_high = _mm512_shuffle_f32x4(b[8 + j], b[12 + j], 0x88);
		__m512 odd_low = _mm512_shuffle_f32x4(b[j], b[4 + j], 0xdd), odd_high = _mm512_shuffle_f32x4(b[8 + j], b[12 + j], 0xdd);
		r[j] = (vf)_mm512_shuffle_f32x4(even_low, even_high, 0x88);
		r[j + 4] = (vf)_mm512_shuffle_f32x4(odd_low, odd_high, 0x88);
		r[j + 8] = (vf)_mm512_shuffle_f32x4(even_low, even_high, 0xdd);
		r[j + 12] = (vf)_mm512_shuffle_f32x4(odd_low, odd_high, 0xdd);
	}
#elif VL == 8
	__m256 a[8], b[8];
	for (int i = 0; i < 8; i += 2) {
		a[i] = _mm256_unpacklo_ps((__m256)r[i], (__m256)r[i + 1]);
		a[i + 1] = _mm256_unpackhi_ps((__m256)r[i], (__m256)r[i + 1]);
	}
	for (int i = 0; i < 8; i += 4) {
		for (int j = 0; j < 2; j++) {
			b[i + 2 * j] = _mm256_shuffle_ps(a[i + j], a[i + 2 + j], 0x44);
			b[i + 2 * j + 1] = _mm256_shuffle_ps(a[i + j], a[i + 2 + j], 0xee);
		}
	}
	for (int j = 0; j < 4; j++) {
		r[j] = (vf)_mm256_permute2f128_ps(b[j], b[4 + j], 0x20);
		r[j + 4] = (vf)_mm256_permute2f128_ps(b[j], b[4 + j], 0x31);
	}
#else
	vf a = __builtin_shufflevector(r[0], r[1], 0, 4, 1, 5), b = __builtin_shufflevector(r[0], r[1], 2, 6, 3, 7);
	vf c = __builtin_shufflevector(r[2], r[3], 0, 4, 1, 5), d = __builtin_shufflevector(r[2], r[3], 2, 6, 3, 7);
	r[0] = __builtin_shufflevector(a, c, 0, 1, 4, 5);
	r[1] = __builtin_shufflevector(a, c, 2, 3, 6, 7);
	r[2] = __builtin_shufflevector(b, d, 0, 1, 4, 5);
	r[3] = __builtin_shufflevector(b, d, 2, 3, 6, 7);
#endif
}

// A square of VL elements by VL steps of depth, from an operand that is contiguous along depth. rows says how many elements
// are inside the matrix, n how many values a row still has, and ahead how many elements further on the next such square of
// a panel begins, which is fetched; 0 where there is none.
inl void load_square(vf r[VL], const gemm_operand *p, int64_t j, int rows, int64_t k, int64_t n, int64_t ahead, enum conversion as) {
	const int size = p->dtype == DT_F32 ? 4 : 2;
#pragma GCC unroll 16
	for (int i = 0; i < VL; i++) {
		const char *row = (const char *)p->start + ((j + i) * p->ld + k) * size;
		if (ahead) __builtin_prefetch(row + ahead * p->ld * size, 0, 2);
		if (i >= rows) r[i] = vzero();
#ifdef NATIVE_BF16
		else if (in_words(as)) r[i] = load_words(row, 0, n, as);
#endif
		else r[i] = load_some(row, 0, n, as);
	}
	transpose(r);
}

// pack_across fills one panel [steps][width] from an operand that is contiguous along depth. Where width is not a multiple
// of VL a store runs over into the next step, which is written after it: a panel needs room for VL floats behind it. ahead is
// load_square's.
inl void pack_across(float *to, const gemm_operand *p, int64_t j, int width, int64_t k, int64_t kc, int64_t ahead,
	enum conversion as) {
	const int per_step = in_words(as) ? 2 : 1;
	const int64_t steps = (kc + per_step - 1) / per_step;
	for (int g = 0; g < width; g += VL) {
		int64_t inside = p->count - j - g, most = width - g < VL ? width - g : VL;
		int rows = (int)(inside < 0 ? 0 : inside < most ? inside : most);
		for (int64_t s = 0; s < steps; s += VL) {
			vf r[VL];
			int64_t n = kc - s * per_step;
			if (rows == most && n >= VL * per_step) load_square(r, p, j + g, (int)most, k + s * per_step, VL * per_step, ahead, as);
			else load_square(r, p, j + g, rows, k + s * per_step, n, ahead, as);
			if (steps - s >= VL) {
#pragma GCC unroll 16
				for (int i = 0; i < VL; i++) vstore(to + (s + i) * width + g, r[i]);
			} else {
				for (int i = 0; i < steps - s; i++) vstore(to + (s + i) * width + g, r[i]);
			}
		}
	}
}

// load_step is VL neighbours at one step of depth, n of them inside the matrix.
inl vf load_step(const gemm_operand *p, int64_t j, int64_t n, int64_t k, int64_t left, enum conversion as) {
	int64_t i = k * p->ld + j;
#ifdef NATIVE_BF16
	if (in_words(as)) return pair_rows(p->start, i, p->ld, n, left > 1, as);
#endif
	(void)left;
	return load_some(p->start, i, n, as);
}

// prefetch_steps fetches the line of element j at steps depths from k on.
inl void prefetch_steps(const gemm_operand *p, int64_t j, int64_t k, int steps) {
	const int size = p->dtype == DT_F32 ? 4 : 2;
	for (int i = 0; i < steps; i++) __builtin_prefetch((const char *)p->start + ((k + i) * p->ld + j) * size, 0, 2);
}

// pack_along fills panels panels of width, [steps][width] each and stride floats apart (with room between them, see above),
// from an operand that is contiguous along its long side. It goes a few steps of depth at a time through all panels, so that
// a line of the source is read once, and fetches the next few meanwhile.
inl void pack_along(float *to, const gemm_operand *p, int64_t j, int64_t panels, int64_t stride, int width, int64_t k, int64_t kc,
	enum conversion as) {
	const int per_step = in_words(as) ? 2 : 1, most = 16;
	const int64_t steps = (kc + per_step - 1) / per_step;
	for (int64_t from = 0; from < steps; from += most) {
		int64_t end = from + most < steps ? from + most : steps;
		for (int64_t q = 0; q < panels; q++) {
			float *panel = to + q * stride;
			int64_t at = j + q * width, inside = p->count - at;
			if (inside >= width + VL) {
				for (int64_t s = from; s < end; s++) {
					if (panels > 1) prefetch_steps(p, at, k + (s + most) * per_step, per_step);
					for (int g = 0; g < width; g += VL)
						vstore(panel + s * width + g, load_step(p, at + g, VL, k + s * per_step, kc - s * per_step, as));
				}
				continue;
			}
			for (int64_t s = from; s < end; s++)
				for (int g = 0; g < width; g += VL)
					vstore(panel + s * width + g,
						load_step(p, at + g, at_least_0(inside - g), k + s * per_step, kc - s * per_step, as));
		}
	}
}

#if VL == 8 || defined NATIVE_AMX
// pack_group copies a group [height,steps] of rows from element j on, of which inside are in the matrix, and n values of each from depth k on;
// zeros stand for the rest. A group is a vector wide. ahead is load_square's.
inl void pack_group(float *to, const int height, const gemm_operand *p, int64_t j, int64_t inside, int64_t k, int64_t n, int64_t ahead, enum conversion as) {
	const int size = p->dtype == DT_F32 ? 4 : 2;
#pragma GCC unroll 32
	for (int i = 0; i < height; i++) {
		const char *row = (const char *)p->start + ((j + i) * p->ld + k) * size;
		if (ahead) __builtin_prefetch(row + ahead * p->ld * size, 0, 2);
		vf v = vzero();
#ifdef NATIVE_BF16
		if (i < inside && in_words(as)) v = load_words(row, 0, n, as);
		else
#endif
		if (i < inside) v = load_some(row, 0, n, as);
		vstore(to + i * VL, v);
	}
}

// turn_group makes such a group, of a multiple of VL rows, of an operand that is contiguous along its long side.
inl void turn_group(float *to, const int height, const gemm_operand *p, int64_t j, int64_t inside, int64_t k, int64_t n, enum conversion as) {
	const int per_step = in_words(as) ? 2 : 1;
	for (int g = 0; g < height; g += VL) {
		vf r[VL];
#pragma GCC unroll 16
		for (int i = 0; i < VL; i++) {
			const int64_t left = n - i * per_step;
			r[i] = left > 0 ? load_step(p, j + g, at_least_0(inside - g), k + i * per_step, left, as) : vzero();
		}
		transpose(r);
#pragma GCC unroll 16
		for (int i = 0; i < VL; i++) vstore(to + (g + i) * VL, r[i]);
	}
}

// pack_groups fills panels panels of height rows from element j on as the tiles of groups read them, each for depths k..k+kc-1, stride floats
// apart.
inl void pack_groups(float *to, const int height, const gemm_operand *p, int64_t j, int64_t panels, int64_t stride, int64_t k, int64_t kc,
	enum conversion as) {
	const int64_t per_step = in_words(as) ? 2 : 1, whole = VL * per_step;
	for (int64_t q = 0; q < panels; q++, j += height, to += stride) {
		const int64_t inside = p->count - j, ahead = q + 1 < panels ? height : 0;
		float *group = to;
		int64_t s = 0;
		if (height % VL == 0 && p->by_depth) {
			for (; s + whole <= kc && inside >= height; s += whole, group += VL * height) turn_group(group, height, p, j, height, k + s, whole, as);
			for (; s < kc; s += whole, group += VL * height) turn_group(group, height, p, j, inside, k + s, kc - s, as);
			continue;
		}
		for (; s + whole <= kc && inside >= height; s += whole, group += VL * height) pack_group(group, height, p, j, height, k + s, whole, ahead, as);
		for (; s < kc; s += whole, group += VL * height) pack_group(group, height, p, j, inside, k + s, kc - s, 0, as);
	}
}
#endif

#if VL == 16
// four_rows turns rows of four quarters into quarters of four rows.
inl void four_rows(vf r[4]) {
	const __m512 a = _mm512_shuffle_f32x4((__m512)r[0], (__m512)r[1], 0x44), b = _mm512_shuffle_f32x4((__m512)r[0], (__m512)r[1], 0xee);
	const __m512 c = _mm512_shuffle_f32x4((__m512)r[2], (__m512)r[3], 0x44), d = _mm512_shuffle_f32x4((__m512)r[2], (__m512)r[3], 0xee);
	r[0] = (vf)_mm512_shuffle_f32x4(a, c, 0x88);
	r[1] = (vf)_mm512_shuffle_f32x4(a, c, 0xdd);
	r[2] = (vf)_mm512_shuffle_f32x4(b, d, 0x88);
	r[3] = (vf)_mm512_shuffle_f32x4(b, d, 0xdd);
}

// pack_quads makes the groups, of four steps each, of a vector of depth: MR rows from element j on, of which inside are in the matrix, and n
// values of each. A store of four rows runs over into the next group, which is written after it: see pack_across.
inl void pack_quads(float *to, const gemm_operand *p, int64_t j, int64_t inside, int64_t k, int64_t n, int64_t ahead, enum conversion as) {
	const int size = p->dtype == DT_F32 ? 4 : 2;
	vf r[MR + 2];
#pragma GCC unroll 16
	for (int i = 0; i < MR + 2; i++) {
		const char *row = (const char *)p->start + ((j + i) * p->ld + k) * size;
		if (ahead && i < MR) __builtin_prefetch(row + ahead * p->ld * size, 0, 2);
		r[i] = i < MR && i < inside ? load_some(row, 0, n, as) : vzero();
	}
#pragma GCC unroll 4
	for (int q = 0; q < MR + 2; q += 4) four_rows(r + q);
#pragma GCC unroll 4
	for (int s = 0; s < 4; s++) {
		if (s * GROUP >= n) break;
		for (int q = 0; q < MR + 2; q += 4) vstore(to + s * GROUP * MR + q * GROUP, r[q + s]);
	}
}

// pack_quad_panels fills panels panels from element j on as tile_f32_groups reads them, each for depths k..k+kc-1, stride floats apart.
inl void pack_quad_panels(float *to, const gemm_operand *p, int64_t j, int64_t panels, int64_t stride, int64_t k, int64_t kc, enum conversion as) {
	for (int64_t q = 0; q < panels; q++, j += MR, to += stride) {
		const int64_t inside = p->count - j, ahead = q + 1 < panels ? MR : 0;
		int64_t s = 0;
		for (; s + VL <= kc && inside >= MR; s += VL) pack_quads(to + s * MR, p, j, MR, k + s, VL, ahead, as);
		for (; s < kc; s += VL) pack_quads(to + s * MR, p, j, inside, k + s, smaller(VL, kc - s), 0, as);
	}
}
#endif

// What stands for a width where rows are packed in groups: of MR rows, or of those of a tile of AMX.
enum { IN_GROUPS = 0, IN_TILES = -1 };

// pack fills panels panels from element j on, each for depths k..k+kc-1, stride floats apart.
inl void pack(float *to, const gemm_operand *p, int64_t j, int64_t panels, int64_t stride, int width, int64_t k, int64_t kc,
	enum conversion as) {
#if VL == 16
	if (width == IN_GROUPS) {
		pack_quad_panels(to, p, j, panels, stride, k, kc, as);
		return;
	}
#elif VL == 8
	if (width == IN_GROUPS) {
		pack_groups(to, MR, p, j, panels, stride, k, kc, as);
		return;
	}
#endif
#ifdef NATIVE_AMX
	if (width == IN_TILES) {
		pack_groups(to, AMX_ROWS, p, j, panels, stride, k, kc, as);
		return;
	}
#endif
	if (p->by_depth) pack_along(to, p, j, panels, stride, width, k, kc, as);
	else
		for (int64_t q = 0; q < panels; q++)
			pack_across(to + q * stride, p, j + q * width, width, k, kc, q + 1 < panels ? width : 0, as);
}

#endif
