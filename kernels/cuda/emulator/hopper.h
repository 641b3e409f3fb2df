// The functions of source/hopper.cuh for the emulator: the same contracts, written there. What load_box brings to shared memory
// is for products alone: other accesses find nothing written there.
#pragma once

#include "tensor.h"
#include "tensor_map.h"

typedef emulated_tensor_map tensor_map;

#define __grid_constant__

// A product of a warp's 16 rows with N columns, and the places of its fragments, which are read and written when the warp waits
// for it.
struct emulated_product {
	float *sums;             // [N/8][4]
	const uint32_t *weights; // 4, or null: the left operand is a tile
	uint64_t left, right;    // tiles
	int columns, add, half;  // N; add to the sums; fp16, not bf16
};

extern "C" {
void emulated_barrier_init(uint64_t *barrier, int arrivals);
void emulated_barrier_arrive(uint64_t *barrier, int bytes);
void emulated_barrier_wait(uint64_t *barrier, int parity, emulated_site at);
void emulated_threads_barrier(int id, int threads, emulated_site at);
void emulated_load_box(void *shared, const emulated_tensor_map *map, int x, int y, int z, uint64_t *barrier);
void emulated_multiply(emulated_product product, emulated_site at);
void emulated_products_commit(emulated_site at);
void emulated_products_wait(int pending, emulated_site at);
}

static inline void barrier_init(uint64_t *barrier, int arrivals) { emulated_barrier_init(barrier, arrivals); }
static inline void barriers_begin() {}
static inline void barrier_arrive(uint64_t *barrier) { emulated_barrier_arrive(barrier, 0); }
static inline void barrier_expect(uint64_t *barrier, int bytes) { emulated_barrier_arrive(barrier, bytes); }
static inline void barrier_wait(uint64_t *barrier, int parity, emulated_site at = EMULATED_HERE) {
	emulated_barrier_wait(barrier, parity, at);
}
static inline void threads_barrier(int id, int threads, emulated_site at = EMULATED_HERE) {
	emulated_threads_barrier(id, threads, at);
}
static inline void load_box(void *shared, const tensor_map *map, int x, int y, int z, uint64_t *barrier) {
	emulated_load_box(shared, map, x, y, z, barrier);
}

template <int registers> static inline void give_registers() {}
template <int registers> static inline void take_registers() {}

static inline void products_begin() {}
static inline void products_commit(emulated_site at = EMULATED_HERE) { emulated_products_commit(at); }
template <int pending> static inline void products_wait(emulated_site at = EMULATED_HERE) { emulated_products_wait(pending, at); }
template <int N> static inline void settle(float (&)[N][4]) {}

static inline uint64_t swizzled_tile(const void *start, int panel) {
	uint64_t at = shared_address(start) & 0x3ffff, apart = 1024, swizzle = 1;
	return at >> 4 | (uint64_t)(panel >> 4) << 16 | apart >> 4 << 32 | swizzle << 62;
}

template <typename Half, int N>
static __forceinline__ void multiply_tiles(float (&d)[N][4], uint64_t a, uint64_t b, int add, emulated_site at = EMULATED_HERE) {
	emulated_multiply({d[0], nullptr, a, b, 8 * N, add, std::is_same_v<Half, __half>}, at);
}
template <typename Half, int N>
static __forceinline__ void multiply_weights(float (&d)[N][4], const uint32_t (&a)[4], uint64_t b,
	emulated_site at = EMULATED_HERE) {
	emulated_multiply({d[0], a, 0, b, 8 * N, 1, std::is_same_v<Half, __half>}, at);
}
