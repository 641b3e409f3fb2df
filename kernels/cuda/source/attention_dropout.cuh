// Which probabilities dropout keeps, for the fragments of mma_16x8x16. The element of query t and key s of a head has the index
// (head*T + t)*T + s, and a counter serves four keys in a row. Where T is a multiple of 4 the counters of a 16x8 piece are 32,
// one for each thread of the warp, and ballots hand the words to those who want them; else each thread makes what it needs.
#pragma once

#include "attention_tile.cuh"
#include "philox.cuh"

// dropout_of is the call's dropout; its threshold is 0 where nothing is dropped.
static __device__ __forceinline__ philox dropout_of(const int32_t *seed, const attention_shape &s) {
	if (seed && s.dropout > 0) return philox_of(seed, s.salt, s.dropout);
	return {{0, 0}, 0, 0, 1};
}

// The ballots of the four words of each thread's counter: bit l of word[i] says whether word i of thread l is kept.
struct kept_words {
	uint32_t word[4];
};

static __device__ __forceinline__ kept_words vote(const philox &p, uint64_t group) {
	philox_block block = philox_words(p, group);
	kept_words kept;
#pragma unroll
	for (int i = 0; i < 4; i++) kept.word[i] = __ballot_sync(0xffffffff, block.word[i] >= p.threshold);
	return kept;
}

// kept_of_queries is 4 bits for each of N pieces of 16 queries and 8 keys: bit 4n + e for element e of the fragment. first is
// the index of the first query and key. Thread l asks for a counter of row l/4, or of row l/4 + 8 where l is odd.
template <int N> static __device__ __forceinline__ uint32_t kept_of_queries(const philox &p, uint64_t first, int T) {
	int lane = lane_of(), odd = lane & 1;
	uint32_t kept = 0;
	if (T % 4) {
#pragma unroll 1
		for (int i = 0; i < 4 * N; i++) {
			int row = lane / 4 + (i & 2) * 4, column = i / 4 * 8 + lane % 4 * 2 + (i & 1);
			kept |= (uint32_t)(philox_element(p, first + (uint64_t)row * T + column) != 0) << i;
		}
		return kept;
	}
	uint64_t group = (first + (uint64_t)(lane / 4 + 8 * odd) * T) / 4 + (lane >> 1 & 1);
#pragma unroll 2
	for (int n = 0; n < N; n++) {
		kept_words all = vote(p, group + 2 * n);
		uint32_t x = (odd ? all.word[2] : all.word[0]) >> (lane & ~1), y = (odd ? all.word[3] : all.word[1]) >> (lane & ~1);
		kept |= ((x & 1) | (y & 1) << 1 | (x & 2) << 1 | (y & 2) << 2) << 4 * n;
	}
	return kept;
}

// kept_of_keys is the same for pieces of 16 keys and 8 queries. The four threads that share a counter's words, one key each,
// lie 4 apart, and each of them asks for one of the four counters that they all want.
template <int N> static __device__ __forceinline__ uint32_t kept_of_keys(const philox &p, uint64_t first, int T) {
	int lane = lane_of(), mine = lane >> 2 & 3;
	uint32_t kept = 0;
	if (T % 4) {
#pragma unroll 1
		for (int i = 0; i < 4 * N; i++) {
			int row = lane / 4 + (i & 2) * 4, column = i / 4 * 8 + lane % 4 * 2 + (i & 1);
			kept |= (uint32_t)(philox_element(p, first + (uint64_t)column * T + row) != 0) << i;
		}
		return kept;
	}
	uint64_t group = (first + (uint64_t)(lane % 4 * 2 + (mine & 1)) * T) / 4 + (lane >> 4) + (mine & 2);
#pragma unroll 2
	for (int n = 0; n < N; n++) {
		kept_words all = vote(p, group + (uint64_t)(2 * n) * T);
		uint32_t low = mine & 1 ? all.word[1] : all.word[0], high = mine & 1 ? all.word[3] : all.word[2];
		uint32_t x = (mine & 2 ? high : low) >> (lane & ~12);
		kept |= ((x & 1) | (x >> 3 & 2) | (x >> 6 & 4) | (x >> 9 & 8)) << 4 * n;
	}
	return kept;
}
