// What a forward pass of attention in half precision has to do besides its products: the softmax that runs along, and the end.
#pragma once

#include "attention_place.cuh"
#include "attention_product.cuh"
#include "attention_scores.cuh"

template <typename Half> struct forward_call {
	Half *out;
	float *lse;
	const Half *q, *k, *v;
	const int32_t *lengths, *start, *seed;
	attention_shape shape;
	fault_record *fault;
	int call;
};

// The softmax of a warp's queries so far: their largest scores as powers of two, and this thread's share of the sums.
template <int M> struct softmax_state {
	float largest[M][2], total[M][2];
};

template <int M> static __device__ __forceinline__ void begin(softmax_state<M> &state) {
#pragma unroll
	for (int m = 0; m < M; m++)
#pragma unroll
		for (int r = 0; r < 2; r++) state.largest[m][r] = -INFINITY, state.total[m][r] = 0;
}

// soften turns scores into exponentials from the new maximum. shrink brings what was summed from the old one to it. unit is
// scale*log2(e).
template <int M, int N>
static __device__ __forceinline__ void soften(softmax_state<M> &state, float (&shrink)[M][2], float (&scores)[M][N][4],
	float unit) {
#pragma unroll
	for (int m = 0; m < M; m++)
#pragma unroll
		for (int r = 0; r < 2; r++) {
			float largest = -INFINITY, before = state.largest[m][r];
#pragma unroll
			for (int n = 0; n < N; n++) largest = fmaxf(largest, fmaxf(scores[m][n][2 * r], scores[m][n][2 * r + 1]));
			largest = fmaxf(before, quad_max(largest) * unit);
			float total = 0;
			shrink[m][r] = exp2_flushed(before - largest);
#pragma unroll
			for (int n = 0; n < N; n++)
#pragma unroll
				for (int e = 2 * r; e < 2 * r + 2; e++) {
					scores[m][n][e] = exp2_flushed(fmaf(scores[m][n][e], unit, -largest));
					total += scores[m][n][e];
				}
			state.largest[m][r] = largest;
			state.total[m][r] = fmaf(state.total[m][r], shrink[m][r], total);
		}
}

// rescale multiplies each row of sums by its factor.
template <int M, int N>
static __device__ __forceinline__ void rescale(float (&sums)[M][N][4], const float (&factor)[M][2]) {
#pragma unroll
	for (int m = 0; m < M; m++)
#pragma unroll
		for (int n = 0; n < N; n++)
#pragma unroll
			for (int e = 0; e < 4; e++) sums[m][n][e] *= factor[m][e / 2];
}

// finish writes outputs and lse of a warp's queries, the first of which is row; those from rows on are padding and give 0. The
// outputs pass through the warp's rows of the tile of queries, which nobody else reads.
template <int W, typename Half, int M>
static __device__ __forceinline__ void finish(const forward_call<Half> &c, const attention_place &at, Half *tile,
	const float (&sums)[M][W / 8][4], const softmax_state<M> &state, float kept_scale, int row) {
	float factor[M][2];
#pragma unroll
	for (int m = 0; m < M; m++)
#pragma unroll
		for (int r = 0; r < 2; r++) {
			int t = row + 16 * m + 8 * r + lane_of() / 4;
			float total = quad_sum(state.total[m][r]);
			factor[m][r] = t < at.rows ? __fdividef(kept_scale, total) : 0;
			if (c.lse && lane_of() % 4 == 0 && t < c.shape.T)
				c.lse[at.head * c.shape.T + t] = t < at.rows ? (state.largest[m][r] + log2f(total)) * LN2 : 0;
		}
	put_rows<W>(output_rows(c.out, c.shape, at), tile, sums, factor, row, c.shape);
}
