// Scores of a warp in the fragments of mma_16x8x16: whom a query sees, what dropout takes, and what its four threads have in
// common.
#pragma once

#include "attention_dropout.cuh"

static constexpr float LOG2E = 1.44269504f, LN2 = 0.693147181f;

// A row of a fragment belongs to four threads in a row.
static __device__ __forceinline__ float quad_max(float x) {
	x = fmaxf(x, __shfl_xor_sync(0xffffffff, x, 1));
	return fmaxf(x, __shfl_xor_sync(0xffffffff, x, 2));
}
static __device__ __forceinline__ float quad_sum(float x) {
	x += __shfl_xor_sync(0xffffffff, x, 1);
	return x + __shfl_xor_sync(0xffffffff, x, 2);
}

// hide_later gives the score -infinity to keys (columns) behind a query (row), whose first of each are given.
template <int M, int N> static __device__ __forceinline__ void hide_later(float (&scores)[M][N][4], int query, int key) {
	int first = query + lane_of() / 4 - key - lane_of() % 4 * 2;
#pragma unroll
	for (int m = 0; m < M; m++)
#pragma unroll
		for (int n = 0; n < N; n++)
#pragma unroll
			for (int e = 0; e < 4; e++)
				if (8 * n + e % 2 > first + 16 * m + e / 2 * 8) scores[m][n][e] = -INFINITY;
}

// hide_earlier does it where the keys are the rows: to queries (columns) before a key.
template <int M, int N> static __device__ __forceinline__ void hide_earlier(float (&scores)[M][N][4], int key, int query) {
	int first = key + lane_of() / 4 - query - lane_of() % 4 * 2;
#pragma unroll
	for (int m = 0; m < M; m++)
#pragma unroll
		for (int n = 0; n < N; n++)
#pragma unroll
			for (int e = 0; e < 4; e++)
				if (8 * n + e % 2 < first + 16 * m + e / 2 * 8) scores[m][n][e] = -INFINITY;
}

// keep multiplies a 16xN piece by scale where bit 4n + e of kept is set, and by 0 elsewhere.
template <int N> static __device__ __forceinline__ void keep(float (&p)[N][4], uint32_t kept, float scale) {
#pragma unroll
	for (int n = 0; n < N; n++)
#pragma unroll
		for (int e = 0; e < 4; e++) p[n][e] = kept >> (4 * n + e) & 1 ? p[n][e] * scale : 0;
}
