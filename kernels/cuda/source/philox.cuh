// The random numbers of dropout and of rounding: Philox 4x32-10 (Salmon et al., 2011), as kernels/ref has them. Element i has word
// i mod 4 of counter {i/4 low, i/4 high, salt, 0} under the key seed[0], seed[1]. A dropout keeps it where that word is at least
// p * 2^32, so a mask needs no memory and does not depend on who computes it.
#pragma once

#include "device.cuh"

// One dropout: the key, its salt, the probability as a threshold, and what a kept value is multiplied by.
struct philox {
	uint32_t key[2], salt, threshold;
	float scale;
};

// The four words of a counter.
struct philox_block {
	uint32_t word[4];
};

// p * 2^32 is exact in float32, so the threshold is that of ref.
static __device__ inline philox philox_of(const int32_t *seed, uint32_t salt, float p) {
	return {{(uint32_t)seed[0], (uint32_t)seed[1]}, salt, (uint32_t)(p * 4294967296.0f), 1.0f / (1.0f - p)};
}

// philox_words gives the words of elements 4*group to 4*group+3.
static __device__ inline philox_block philox_words(const philox &p, uint64_t group) {
	uint32_t a = (uint32_t)group, b = (uint32_t)(group >> 32), c = p.salt, d = 0;
	uint32_t key0 = p.key[0], key1 = p.key[1];
#pragma unroll
	for (int round = 0; round < 10; round++) {
		uint64_t x = (uint64_t)a * 0xD2511F53u, y = (uint64_t)c * 0xCD9E8D57u;
		a = (uint32_t)(y >> 32) ^ b ^ key0, b = (uint32_t)y;
		c = (uint32_t)(x >> 32) ^ d ^ key1, d = (uint32_t)x;
		key0 += 0x9E3779B9u, key1 += 0xBB67AE85u;
	}
	return {{a, b, c, d}};
}

// philox_factor is what the element with this word is multiplied by.
static __device__ inline float philox_factor(const philox &p, uint32_t word) { return word >= p.threshold ? p.scale : 0.0f; }

// philox_word is the word of one element, for those whose neighbours belong to somebody else.
static __device__ inline uint32_t philox_word(const philox &p, uint64_t index) {
	philox_block block = philox_words(p, index / 4);
	uint32_t low = index & 1 ? block.word[1] : block.word[0], high = index & 1 ? block.word[3] : block.word[2];
	return index & 2 ? high : low;
}

// philox_element is the factor of such an element.
static __device__ inline float philox_element(const philox &p, uint64_t index) { return philox_factor(p, philox_word(p, index)); }
