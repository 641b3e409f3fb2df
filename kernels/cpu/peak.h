// The arithmetic peak of an instruction set: as many independent multiply-adds as the tile of a product has, on registers.
#ifndef ATOLL_PEAK_H
#define ATOLL_PEAK_H

#include "gemm_parts.h"
#include "lanes.h"

// peak_f32 does steps rounds and gives how many floating-point operations those were.
static double peak_f32(int64_t steps, volatile float *sink) {
	vf sum[2 * MR], x = vset(sink[0]), y = vset(sink[1]);
#pragma GCC unroll 32
	for (int i = 0; i < 2 * MR; i++) sum[i] = vset((float)i);
	for (int64_t s = 0; s < steps; s++) {
#pragma GCC unroll 32
		for (int i = 0; i < 2 * MR; i++) sum[i] = vfma(sum[i], x, y);
	}
#pragma GCC unroll 32
	for (int i = 1; i < 2 * MR; i++) sum[0] += sum[i];
	sink[2] = vsum(sum[0]); // so that the compiler keeps the loop
	return (double)steps * 2 * MR * VL * 2;
}

#ifdef NATIVE_AMX
// peak_amx is that of tiles: their loop on operands in the first cache, which it has to load.
static double peak_amx(int int8, int64_t steps, volatile float *sink) {
	enum { BLOCK_GROUPS = 4 };
	_Alignas(64) float a[BLOCK_GROUPS * AMX_STEPS * AMX_ROWS], b[BLOCK_GROUPS * AMX_STEPS * NR], c[AMX_ROWS * NR];
	for (int i = 0; i < BLOCK_GROUPS * AMX_STEPS * NR; i++) a[i] = b[i] = sink[0]; // any bits
	const int64_t blocks = pieces(steps, 64 * BLOCK_GROUPS);
	amx_begin();
	amx_clear_sums();
	tile_fetches none = {0};
	const amx_places packed = {PACKED_LINE, PACKED_NEXT, NR, VL, AMX_STEPS * NR};
	for (int64_t s = 0; s < blocks; s++) amx_groups(int8, BLOCK_GROUPS, a, b, &packed, &none);
	amx_store_sums(c, NR * 4);
	amx_end();
	sink[2] = c[0];
	return (double)blocks * BLOCK_GROUPS * AMX_ROWS * NR * AMX_STEPS * (int8 ? 8 : 4);
}

// peak_parts is that of fp32 in parts: the loop of its tile.
static double peak_parts(int64_t steps, volatile float *sink) {
	enum { BLOCK_GROUPS = 2 };
	_Alignas(64) float a[BLOCK_GROUPS * GROUP_FLOATS], b[BLOCK_GROUPS * GROUP_FLOATS], c[AMX_ROWS * NR];
	for (int i = 0; i < BLOCK_GROUPS * GROUP_FLOATS; i++) a[i] = b[i] = sink[0];
	const int64_t blocks = pieces(steps, 64 * BLOCK_GROUPS);
	amx_begin();
	amx_clear_sums();
	load_first_parts(a, b);
	tile_fetches none = {0};
	for (int64_t s = 0; s < blocks; s++) {
		multiply_parts(a, b, GROUP_FLOATS, &none);
		multiply_parts(a + GROUP_FLOATS, b + GROUP_FLOATS, -GROUP_FLOATS, &none);
	}
	amx_store_sums(c, NR * 4);
	amx_end();
	sink[2] = c[0];
	return (double)blocks * BLOCK_GROUPS * AMX_ROWS * NR * PART_DEPTH * 2;
}
#elif defined NATIVE_BF16
static double peak_bf16(int64_t steps, volatile float *sink) {
	__m512 sum[2 * MR];
	__m512bh x = (__m512bh)vset(sink[0]);
#pragma GCC unroll 32
	for (int i = 0; i < 2 * MR; i++) sum[i] = (__m512)vset((float)i);
	for (int64_t s = 0; s < steps; s++) {
#pragma GCC unroll 32
		for (int i = 0; i < 2 * MR; i++) sum[i] = _mm512_dpbf16_ps(sum[i], x, x);
	}
#pragma GCC unroll 32
	for (int i = 1; i < 2 * MR; i++) sum[0] += sum[i];
	sink[2] = vsum((vf)sum[0]);
	return (double)steps * 2 * MR * VL * 4;
}
#endif

#ifndef NATIVE_AMX
// peak_pairs is that of int8's products of many rows: the loop of their tile, on operands in the first cache, which it has to load.
static double peak_pairs(int64_t steps, volatile float *sink) {
	enum { BLOCK_STEPS = 128 };
	_Alignas(64) float a[BLOCK_STEPS * MR], b[BLOCK_STEPS * NR];
	for (int i = 0; i < BLOCK_STEPS * NR; i++) a[i % (BLOCK_STEPS * MR)] = b[i] = sink[0]; // any bits
	vi low[MR], high[MR], sum = {0};
	const int64_t blocks = pieces(steps, BLOCK_STEPS);
	for (int64_t s = 0; s < blocks; s++) {
		multiply_pairs(BLOCK_STEPS, a, b, low, high);
		for (int i = 0; i < MR; i++) sum ^= low[i] ^ high[i];
	}
	sink[2] = (float)sum[0];
	return (double)blocks * BLOCK_STEPS * 2 * MR * VL * 4;
}
#endif

// peak takes DT_I32 for the whole numbers of int8.
static double peak(uint32_t precision, int64_t steps, volatile float *sink) {
#ifdef NATIVE_AMX
	if (precision == DT_I32 || precision == DT_BF16) return peak_amx(precision == DT_I32, steps, sink);
	if (precision == DT_F32) return peak_parts(steps, sink);
#else
	if (precision == DT_I32) return peak_pairs(steps, sink);
#endif
#if defined NATIVE_BF16 && !defined NATIVE_AMX
	if (precision == DT_BF16) return peak_bf16(steps, sink);
#endif
	(void)precision;
	return peak_f32(steps, sink);
}

#endif
