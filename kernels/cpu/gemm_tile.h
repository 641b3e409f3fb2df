// The innermost product: a tile of MR x NR sums in registers, on packed operands.
//
// Each sum is one chain of fused multiply-adds over k, from the first to the last of a block of K, whatever the tile's
// place: that is what makes an element's bits depend on its row, its column and K only.
#ifndef ATOLL_GEMM_TILE_H
#define ATOLL_GEMM_TILE_H

#include "vector.h"

// LINE is the words of a line of a packed panel: kernels.PanelWidth.
enum { LINE = 16 };

// Two vectors wide. MR is as many rows as leave registers for the two vectors and a broadcast: 28 + 3 of AVX-512's 32,
// 12 + 3 of AVX2's 16.
enum { NR = 2 * VL };
#if VL == 16
enum { MR = 14 };
#elif VL == 8
enum { MR = 6 };
#elif defined __aarch64__
enum { MR = 8 };
#else
enum { MR = 4 };
#endif

// c [MR,NR] = (add ? c : 0) + the sum over k of a [k,MR] times b [k,NR], whose steps are step floats apart and the second vector of
// each step second floats behind the first.
inl void tile_f32_of(int64_t kc, const float *restrict a, const float *restrict b, int64_t step, int64_t second, float *restrict c,
	int add) {
	vf low[MR], high[MR];
#pragma GCC unroll 16
	for (int i = 0; i < MR; i++) low[i] = high[i] = vzero();
#pragma GCC unroll 4
	for (int64_t k = 0; k < kc; k++, a += MR, b += step) {
		vf b0 = vload(b), b1 = vload(b + second);
#pragma GCC unroll 16
		for (int i = 0; i < MR; i++) {
			vf ai = vset(a[i]);
			low[i] = vfma(ai, b0, low[i]);
			high[i] = vfma(ai, b1, high[i]);
		}
	}
#pragma GCC unroll 16
	for (int i = 0; i < MR; i++) {
		float *row = c + i * NR;
		vstore(row, add ? vload(row) + low[i] : low[i]);
		vstore(row + VL, add ? vload(row + VL) + high[i] : high[i]);
	}
}

static void tile_f32(int64_t kc, const float *restrict a, const float *restrict b, float *restrict c, int add) {
	tile_f32_of(kc, a, b, NR, VL, c, add);
}

// The same where b stands in packed panels (packed.h), panel floats apart.
static void tile_f32_packed(int64_t kc, const float *restrict a, const float *restrict b, int64_t panel, float *restrict c, int add) {
	tile_f32_of(kc, a, b, LINE, VL == LINE ? panel : VL, c, add);
}

#ifdef NATIVE_BF16
// The same on pairs of bf16: a [k,MR] and b [k,NR] hold two values of k in each 32-bit word.
inl void tile_bf16_of(int64_t kc, const float *restrict a, const float *restrict b, int64_t step, int64_t second, float *restrict c,
	int add) {
	__m512 low[MR], high[MR];
#pragma GCC unroll 16
	for (int i = 0; i < MR; i++) low[i] = high[i] = _mm512_setzero_ps();
#pragma GCC unroll 4
	for (int64_t k = 0; k < kc; k++, a += MR, b += step) {
		__m512bh b0 = (__m512bh)vload(b), b1 = (__m512bh)vload(b + second);
#pragma GCC unroll 16
		for (int i = 0; i < MR; i++) {
			__m512bh ai = (__m512bh)vset(a[i]);
			low[i] = _mm512_dpbf16_ps(low[i], ai, b0);
			high[i] = _mm512_dpbf16_ps(high[i], ai, b1);
		}
	}
#pragma GCC unroll 16
	for (int i = 0; i < MR; i++) {
		float *row = c + i * NR;
		vstore(row, add ? vload(row) + (vf)low[i] : (vf)low[i]);
		vstore(row + VL, add ? vload(row + VL) + (vf)high[i] : (vf)high[i]);
	}
}

static void tile_bf16(int64_t kc, const float *restrict a, const float *restrict b, float *restrict c, int add) {
	tile_bf16_of(kc, a, b, NR, VL, c, add);
}

static void tile_bf16_packed(int64_t kc, const float *restrict a, const float *restrict b, int64_t panel, float *restrict c, int add) {
	tile_bf16_of(kc, a, b, LINE, panel, c, add);
}
#endif

#endif
