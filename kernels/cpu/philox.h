// The random numbers of dropout and of rounding: Philox 4x32-10 (Salmon et al., 2011), VL counters at a time. Element i of a dropout is
// word i mod 4 of counter {i/4 low, i/4 high, salt, 0} under the key seed[0], seed[1]; it is kept where that word is at
// least p * 2^32, so a mask needs no memory and does not depend on who computes it.
#ifndef ATOLL_PHILOX_H
#define ATOLL_PHILOX_H

#include "vector.h"

// One dropout: the key, its salt, the probability as a threshold, and what a kept value is multiplied by.
typedef struct {
	uint32_t key[2], salt, threshold;
	float scale;
} philox;

static philox philox_of(const int32_t *seed, int64_t salt, float p) {
	return (philox){{(uint32_t)seed[0], (uint32_t)seed[1]}, (uint32_t)salt, (uint32_t)((double)p * 4294967296.0),
		1.0f / (1.0f - p)};
}

// philox_high gives the upper words of the products of each lane with m.
inl vu philox_high(vu a, uint32_t m) {
#if VL == 16
	__m512i factor = _mm512_set1_epi32((int)m);
	__m512i even = _mm512_srli_epi64(_mm512_mul_epu32((__m512i)a, factor), 32);
	__m512i odd = _mm512_mul_epu32(_mm512_srli_epi64((__m512i)a, 32), factor);
	return (vu)_mm512_mask_mov_epi32(even, 0xaaaa, odd);
#elif VL == 8
	__m256i factor = _mm256_set1_epi32((int)m);
	__m256i even = _mm256_srli_epi64(_mm256_mul_epu32((__m256i)a, factor), 32);
	__m256i odd = _mm256_mul_epu32(_mm256_srli_epi64((__m256i)a, 32), factor);
	return (vu)_mm256_blend_epi32(even, odd, 0xaa);
#else
	vu high;
	for (int i = 0; i < VL; i++) high[i] = (uint32_t)((uint64_t)a[i] * m >> 32);
	return high;
#endif
}

// philox_words writes the words of counters group..group+VL-1, 4*VL of them.
static void philox_words(uint32_t *words, const philox *p, uint64_t group) {
	vu a, b, c = vset_u(p->salt), d = vset_u(0);
	for (int i = 0; i < VL; i++) {
		a[i] = (uint32_t)(group + (uint64_t)i);
		b[i] = (uint32_t)((group + (uint64_t)i) >> 32);
	}
	uint32_t key0 = p->key[0], key1 = p->key[1];
	for (int round = 0; round < 10; round++, key0 += 0x9E3779B9u, key1 += 0xBB67AE85u) {
		vu next_a = philox_high(c, 0xCD9E8D57u) ^ b ^ vset_u(key0), next_c = philox_high(a, 0xD2511F53u) ^ d ^ vset_u(key1);
		b = c * vset_u(0xCD9E8D57u);
		d = a * vset_u(0xD2511F53u);
		a = next_a;
		c = next_c;
	}
	for (int i = 0; i < VL; i++) {
		words[4 * i] = a[i];
		words[4 * i + 1] = b[i];
		words[4 * i + 2] = c[i];
		words[4 * i + 3] = d[i];
	}
}

// philox_factors writes what elements index..index+n-1 are multiplied by: 0 where dropped, else 1/(1-p). factor has
// room for n rounded up to whole vectors.
static void philox_factors(float *factor, const philox *p, uint64_t index, int64_t n) {
	uint32_t words[5 * VL] = {0}; // a vector may be read across the end
	for (int64_t i = 0; i < n;) {
		philox_words(words, p, (index + (uint64_t)i) / 4);
		int first = (int)((index + (uint64_t)i) % 4);
		for (int at = first; at < 4 * VL && i < n;) {
			int64_t count = 4 * VL - at < VL ? 4 * VL - at : VL;
			vu word;
			memcpy(&word, words + at, sizeof word);
			vstore(factor + i, vsel(word >= vset_u(p->threshold), vset(p->scale), vzero()));
			i += count;
			at += (int)count;
		}
	}
}

#endif
