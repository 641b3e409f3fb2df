// Warp operations. All 32 threads of the warp must reach the same one, with the full mask; accesses of one thread before it and
// of another behind it are in order.
#pragma once

#include "language.h"

extern "C" {
uint64_t emulated_shuffle(unsigned mask, uint64_t x, int from, emulated_site at); // from: the lane whose x is wanted
unsigned emulated_ballot(unsigned mask, int predicate, emulated_site at);
void emulated_syncwarp(unsigned mask, emulated_site at);
int emulated_lane();
}

static inline void __syncwarp(unsigned mask = 0xffffffff, emulated_site at = EMULATED_HERE) { emulated_syncwarp(mask, at); }

// The lane that a shuffle within a group of width lanes reads: its own where the group has no such lane.
static inline int emulated_source(int wanted, int lane, int width) { return wanted >= 0 && wanted / width == lane / width ? wanted : lane; }

template <typename T> static inline T emulated_shuffled(unsigned mask, T x, int from, emulated_site at) {
	static_assert(sizeof(T) == 2 || sizeof(T) == 4 || sizeof(T) == 8, "a shuffle moves 2, 4 or 8 bytes");
	using Bits = std::conditional_t<sizeof(T) == 8, uint64_t, std::conditional_t<sizeof(T) == 4, uint32_t, uint16_t>>;
	return emulated_bits<T>((Bits)emulated_shuffle(mask, emulated_bits<Bits>(x), from, at));
}

template <typename T> static inline T __shfl_sync(unsigned mask, T x, int from, int width = 32, emulated_site at = EMULATED_HERE) {
	int lane = emulated_lane();
	return emulated_shuffled(mask, x, (lane & ~(width - 1)) | (from & (width - 1)), at);
}

template <typename T> static inline T __shfl_up_sync(unsigned mask, T x, unsigned n, int width = 32, emulated_site at = EMULATED_HERE) {
	int lane = emulated_lane();
	return emulated_shuffled(mask, x, emulated_source(lane - (int)n, lane, width), at);
}

template <typename T> static inline T __shfl_down_sync(unsigned mask, T x, unsigned n, int width = 32, emulated_site at = EMULATED_HERE) {
	int lane = emulated_lane();
	return emulated_shuffled(mask, x, emulated_source(lane + (int)n, lane, width), at);
}

// With a width below 32 the device lets a lane read from groups before its own, and not from those behind it.
template <typename T> static inline T __shfl_xor_sync(unsigned mask, T x, int bits, int width = 32, emulated_site at = EMULATED_HERE) {
	int lane = emulated_lane(), wanted = lane ^ bits;
	return emulated_shuffled(mask, x, wanted / width <= lane / width ? wanted : lane, at);
}

static inline unsigned __ballot_sync(unsigned mask, int predicate, emulated_site at = EMULATED_HERE) {
	return emulated_ballot(mask, predicate, at);
}
static inline int __any_sync(unsigned mask, int predicate, emulated_site at = EMULATED_HERE) {
	return emulated_ballot(mask, predicate, at) != 0;
}
static inline int __all_sync(unsigned mask, int predicate, emulated_site at = EMULATED_HERE) {
	return emulated_ballot(mask, predicate, at) == mask;
}
static inline unsigned __activemask() { return 0xffffffff; }
