// The functions of source/tensor.cuh for the emulator: the same contracts, written there.
#pragma once

#include "language.h"

// Fragments by value, so that a kernel's arrays stay in registers and are no memory to check.
struct emulated_accumulators { float at[4]; };
struct emulated_operands { uint32_t a[4], b[2]; };
struct emulated_matrices { uint32_t at[4]; };

extern "C" {
emulated_accumulators emulated_mma_bf16(emulated_accumulators d, emulated_operands o, emulated_site at);
emulated_accumulators emulated_mma_f16(emulated_accumulators d, emulated_operands o, emulated_site at);
emulated_accumulators emulated_mma_tf32(emulated_accumulators d, emulated_operands o, emulated_site at);
emulated_matrices emulated_load_matrices(const void *row, int transposed, emulated_site at);
void emulated_copy_async(void *shared, const void *global, int bytes);
void emulated_copy_async_commit();
void emulated_copy_async_wait(int pending);
}

#define EMULATED_MMA(call)                                                                                    \
	emulated_accumulators sum = call({{d[0], d[1], d[2], d[3]}}, {{a[0], a[1], a[2], a[3]}, {b[0], b[1]}}, at);   \
	d[0] = sum.at[0], d[1] = sum.at[1], d[2] = sum.at[2], d[3] = sum.at[3]

template <typename Half>
static __forceinline__ void mma_16x8x16(float d[4], const uint32_t a[4], const uint32_t b[2], emulated_site at = EMULATED_HERE) {
	if constexpr (std::is_same_v<Half, __half>) {
		EMULATED_MMA(emulated_mma_f16);
	} else {
		static_assert(std::is_same_v<Half, __nv_bfloat16>);
		EMULATED_MMA(emulated_mma_bf16);
	}
}

static __forceinline__ void mma_16x8x8_tf32(float d[4], const uint32_t a[4], const uint32_t b[2], emulated_site at = EMULATED_HERE) {
	EMULATED_MMA(emulated_mma_tf32);
}
#undef EMULATED_MMA

// Adding half of the last place that stays and cutting off rounds to nearest, ties away from zero.
static inline uint32_t tf32(float x) {
	uint32_t bits = __float_as_uint(x), magnitude = bits & 0x7fffffff;
	if (magnitude > 0x7f800000) return 0x7fffffff;
	return magnitude == 0x7f800000 ? bits : (bits + 0x1000) & 0xffffe000;
}

static inline float exp2_flushed(float x) {
	float y = exp2f(x);
	return y < 0x1p-126f ? 0 : y;
}

// Only as good as a number: the offset in the block's shared memory.
static inline uint32_t shared_address(const void *p) { return (uint32_t)((const unsigned char *)p - emulated_shared); }

static __forceinline__ void load_matrix_x4(uint32_t r[4], const void *row, emulated_site at = EMULATED_HERE) {
	emulated_matrices m = emulated_load_matrices(row, 0, at);
	r[0] = m.at[0], r[1] = m.at[1], r[2] = m.at[2], r[3] = m.at[3];
}

static __forceinline__ void load_matrix_x4_transposed(uint32_t r[4], const void *row, emulated_site at = EMULATED_HERE) {
	emulated_matrices m = emulated_load_matrices(row, 1, at);
	r[0] = m.at[0], r[1] = m.at[1], r[2] = m.at[2], r[3] = m.at[3];
}

static inline void copy_async(void *shared, const void *global, int bytes) { emulated_copy_async(shared, global, bytes); }
static inline void copy_async_commit() { emulated_copy_async_commit(); }
template <int pending> static inline void copy_async_wait() { emulated_copy_async_wait(pending); }
