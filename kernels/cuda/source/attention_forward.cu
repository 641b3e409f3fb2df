// Causal attention in half precision (Dao, "FlashAttention-2", 2023): a block owns 128 queries of a head, each of its four
// warps 32. Tiles of keys and values pass by, the next one being copied while one is computed, and the softmax runs along with
// a maximum and a sum for each query, so that q, k and v are read once for each block and out and lse are written once.
//
// Scores are kept as powers of two, and probabilities are rounded to the precision before they meet the values, as in
// kernels/ref, but before they are divided by their sum.
#include "attention_forward.cuh"

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
		float shrink[M][2];
		soften(state, shrink, p, s.scale * LOG2E);
		rescale(sums, shrink);
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
	attention_place at = place_of(s, BLOCK, true, c.lengths, c.fault, c.call);
	int first = first_position(s, c.start, c.fault, c.call);
	if (at.rows < 0 || first < 0) return;
	int row = at.first, mine = row + warp_of() * OWN;
	float sums[M][W / 8][4];
	softmax_state<M> state;
	clear(sums);
	begin(state);
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
