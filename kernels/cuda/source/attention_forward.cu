// Causal attention in half precision (Dao, "FlashAttention-2", 2023): a block owns 128 queries of a head, each of its four
// warps 32. Tiles of keys and values pass by, the next one being copied while one is computed, and the softmax runs along with
// a maximum and a sum for each query, so that q, k and v are read once for each block and out and lse are written once.
//
// Scores are kept as powers of two, and probabilities are rounded to the precision before they meet the values, as in
// kernels/ref, but before they are divided by their sum.
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

// soften turns scores into exponentials from the new maximum, and brings the sums to it. unit is scale*log2(e).
template <int W, int M, int N>
static __device__ __forceinline__ void soften(softmax_state<M> &state, float (&sums)[M][W / 8][4], float (&scores)[M][N][4],
	float unit) {
#pragma unroll
	for (int m = 0; m < M; m++)
#pragma unroll
		for (int r = 0; r < 2; r++) {
			float largest = -INFINITY, before = state.largest[m][r];
#pragma unroll
			for (int n = 0; n < N; n++) largest = fmaxf(largest, fmaxf(scores[m][n][2 * r], scores[m][n][2 * r + 1]));
			largest = fmaxf(before, quad_max(largest) * unit);
			float shrink = exp2_flushed(before - largest), total = 0;
#pragma unroll
			for (int n = 0; n < N; n++)
#pragma unroll
				for (int e = 2 * r; e < 2 * r + 2; e++) {
					scores[m][n][e] = exp2_flushed(fmaf(scores[m][n][e], unit, -largest));
					total += scores[m][n][e];
				}
			state.largest[m][r] = largest;
			state.total[m][r] = fmaf(state.total[m][r], shrink, total);
#pragma unroll
			for (int n = 0; n < W / 8; n++) sums[m][n][2 * r] *= shrink, sums[m][n][2 * r + 1] *= shrink;
		}
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

// attend lets the queries from row on see the keys before end, tile by tile. The warp's first query is mine.
template <int W, typename Half, int M>
static __device__ __forceinline__ void attend(const forward_call<Half> &c, const attention_place &at, Half *queries,
	float (&sums)[M][W / 8][4], softmax_state<M> &state, const philox &dropout, int first, int row, int mine, int end) {
	constexpr int OWN = 16 * M, TILE = FORWARD_TILE(W), BLOCK = OWN * ATTENTION_WARPS;
	const attention_shape &s = c.shape;
	Half *keys = queries + BLOCK * W, *values = keys + 2 * TILE * W;
	head_rows<const Half> k = key_rows(c.k, s, at), v = key_rows(c.v, s, at);
	load_tile<BLOCK, W>(queries, query_rows(c.q, s, at), row, at.rows, s.D, s.wide);
	copy_async_commit();
	load_tile<TILE, W>(keys, k, 0, end, s.D, s.wide);
	load_tile<TILE, W>(values, v, 0, end, s.D, s.wide);
	copy_async_commit();
	copy_async_wait<1>();
	__syncthreads();
	left_rows<W <= 64, W, M, Half> left(queries + (mine - row) * W);
	for (int key = 0, stage = 0; key < end; key += TILE, stage ^= 1) {
		copy_async_wait<0>();
		__syncthreads(); // the tile is there, and the one before it was read by all
		if (key + TILE < end) {
			load_tile<TILE, W>(keys + (stage ^ 1) * TILE * W, k, key + TILE, end, s.D, s.wide);
			load_tile<TILE, W>(values + (stage ^ 1) * TILE * W, v, key + TILE, end, s.D, s.wide);
			copy_async_commit();
		}
		if (key >= first + mine + OWN) continue;
		float p[M][TILE / 8][4];
		clear(p);
		multiply_rows<W>(p, left, keys + stage * TILE * W);
		if (key + TILE - 1 > first + mine) hide_later(p, first + mine, key);
		soften<W>(state, sums, p, s.scale * LOG2E);
#pragma unroll
		for (int m = 0; m < M && dropout.threshold; m++)
			keep(p[m], kept_of_queries<TILE / 8>(dropout, (uint64_t)(at.head * s.T + mine + 16 * m) * s.T + key, s.T), 1);
		multiply_columns<W, Half>(sums, p, values + stage * TILE * W);
	}
}

template <int W, typename Half> static __device__ __forceinline__ void attention_forward(const forward_call<Half> &c) {
	constexpr int OWN = FORWARD_OWN(W), M = OWN / 16, BLOCK = OWN * ATTENTION_WARPS;
	SHARED(Half, queries);
	const attention_shape &s = c.shape;
	attention_place at = place_of(s, c.lengths, c.fault, c.call);
	int first = first_position(s, c.start, c.fault, c.call);
	if (at.rows < 0 || first < 0) return;
	int row = (gridDim.y - 1 - blockIdx.y) * BLOCK; // blocks with most to look at come first, which evens out the end
	int mine = row + warp_of() * OWN;
	float sums[M][W / 8][4];
	softmax_state<M> state;
	clear(sums);
#pragma unroll
	for (int m = 0; m < M; m++)
#pragma unroll
		for (int r = 0; r < 2; r++) state.largest[m][r] = -INFINITY, state.total[m][r] = 0;
	philox dropout = dropout_of(c.seed, s);
	if (row < at.rows) attend<W>(c, at, queries, sums, state, dropout, first, row, mine, first + min(row + BLOCK, at.rows));
	finish<W>(c, at, queries + warp_of() * OWN * W, sums, state, dropout.scale, mine);
}

#define FORWARD(suffix, Half, W)                                                                              \
	extern "C" __global__ __launch_bounds__(ATTENTION_THREADS, 2) void attention_##W##_##suffix(Half *out, float *lse,  \
		const Half *q, const Half *k, const Half *v, const int32_t *lengths, const int32_t *start, const int32_t *seed,    \
		attention_shape shape, fault_record *fault, int call) {                                                  \
		attention_forward<W>(forward_call<Half>{out, lse, q, k, v, lengths, start, seed, shape, fault, call});   \
	}                                                                                                          \
	KERNEL(attention_##W##_##suffix)

#define FORWARD_WIDTHS(suffix, Half) \
	FORWARD(suffix, Half, 32) FORWARD(suffix, Half, 64) FORWARD(suffix, Half, 96) FORWARD(suffix, Half, 128)

FORWARD_WIDTHS(bf16, __nv_bfloat16)
FORWARD_WIDTHS(f16, __half)
