// The first kernel of the gradient of attention: a block owns queries, of which a warp has as many rows as its registers hold,
// and sums their dq over the tiles of keys before them. It makes delta for itself and for the second kernel.
#include "attention_backward.cuh"

// What a thread knows of its rows of queries, two for each m: lse as a power of two, infinite for padding, and delta.
template <int M> struct query_statistics {
	float lse[M][2], delta[M][2];
};

// find_statistics reads lse and makes delta, four threads a row, from dout in the warp's rows of a tile. The first of them is
// row.
template <int W, typename Half, int M>
static __device__ __forceinline__ void find_statistics(query_statistics<M> &known, const gradient_call<Half> &c,
	const attention_place &at, const Half *dout, int row) {
	head_rows<const Half> out = output_rows(c.out, c.shape, at);
	int quarter = lane_of() % 4, D = c.shape.D;
#pragma unroll
	for (int m = 0; m < M; m++)
#pragma unroll
		for (int r = 0; r < 2; r++) {
			int local = 16 * m + 8 * r + lane_of() / 4, t = row + local;
			float sum = 0;
#pragma unroll
			for (int chunk = quarter; chunk < W / 8; chunk += 4) {
				if (t >= at.rows || 8 * chunk >= D) continue;
				const Half *from = out.start + t * out.stride + 8 * chunk;
				pack<Half> x = c.shape.wide ? *(const pack<Half> *)from : gather(from, min(D - 8 * chunk, 8));
				pack<Half> y = *(const pack<Half> *)(dout + tile_at<W>(local, chunk));
#pragma unroll
				for (int j = 0; j < 8; j++) sum = fmaf(widen(x.at[j]), widen(y.at[j]), sum);
			}
			known.delta[m][r] = quad_sum(sum);
			known.lse[m][r] = t < at.rows ? c.lse[at.head * c.shape.T + t] * LOG2E : INFINITY;
			if (quarter == 0 && t < at.rows) c.delta[at.head * c.shape.T + t] = known.delta[m][r];
		}
}

// differ turns dout·v of a warp's queries into ds, given their scores. index is that of the first query and key for dropout.
template <int M, int N>
static __device__ __forceinline__ void differ(float (&ds)[M][N][4], const float (&scores)[M][N][4],
	const query_statistics<M> &known, float unit, const philox &dropout, uint64_t index, int T) {
#pragma unroll
	for (int m = 0; m < M; m++) {
		if (dropout.threshold) keep(ds[m], kept_of_queries<N>(dropout, index + (uint64_t)(16 * m) * T, T), dropout.scale);
#pragma unroll
		for (int n = 0; n < N; n++)
#pragma unroll
			for (int e = 0; e < 4; e++) {
				float p = exp2_flushed(fmaf(scores[m][n][e], unit, -known.lse[m][e / 2]));
				ds[m][n][e] = p * (ds[m][n][e] - known.delta[m][e / 2]);
			}
	}
}

// gather_queries sums dq for the block's queries from row on, over the tiles of keys before end. The warp's first query is
// mine.
template <int W, typename Half, int M>
static __device__ __forceinline__ void gather_queries(const gradient_call<Half> &c, const attention_place &at, Half *queries,
	float (&sums)[M][W / 8][4], int row, int mine, int end) {
	constexpr int OWN = 16 * M, TILE = QUERIES_TILE(W), BLOCK = OWN * ATTENTION_WARPS;
	const attention_shape &s = c.shape;
	Half *douts = queries + BLOCK * W, *keys = douts + BLOCK * W, *values = keys + 2 * TILE * W;
	head_rows<const Half> k = third(c.qkv, s, at, 1), v = third(c.qkv, s, at, 2);
	load_tile<BLOCK, W>(queries, third(c.qkv, s, at, 0), row, at.rows, s.D, s.wide);
	load_tile<BLOCK, W>(douts, output_rows(c.dout, s, at), row, at.rows, s.D, s.wide);
	copy_async_commit();
	load_tile<TILE, W>(keys, k, 0, end, s.D, s.wide);
	load_tile<TILE, W>(values, v, 0, end, s.D, s.wide);
	copy_async_commit();
	copy_async_wait<1>();
	__syncthreads();
	left_rows<true, W, M, Half> q(queries + (mine - row) * W), dout(douts + (mine - row) * W);
	query_statistics<M> known;
	find_statistics<W>(known, c, at, douts + (mine - row) * W, mine);
	philox dropout = dropout_of(c.seed, s);
	for (int key = 0, stage = 0; key < end; key += TILE, stage ^= 1) {
		copy_async_wait<0>();
		__syncthreads(); // the tile is there, and the one before it was read by all
		if (key + TILE < end) {
			load_tile<TILE, W>(keys + (stage ^ 1) * TILE * W, k, key + TILE, end, s.D, s.wide);
			load_tile<TILE, W>(values + (stage ^ 1) * TILE * W, v, key + TILE, end, s.D, s.wide);
			copy_async_commit();
		}
		if (key >= mine + OWN) continue;
		float scores[M][TILE / 8][4], ds[M][TILE / 8][4];
		clear(scores), clear(ds);
		multiply_rows<W>(scores, q, keys + stage * TILE * W);
		multiply_rows<W>(ds, dout, values + stage * TILE * W);
		if (key + TILE - 1 > mine) hide_later(scores, mine, key);
		differ(ds, scores, known, s.scale * LOG2E, dropout, (uint64_t)(at.head * s.T + mine) * s.T + key, s.T);
		multiply_columns<W, Half>(sums, ds, keys + stage * TILE * W);
	}
}

template <int W, typename Half> static __device__ __forceinline__ void backward_queries(const gradient_call<Half> &c) {
	constexpr int OWN = QUERIES_OWN(W), M = OWN / 16, BLOCK = OWN * ATTENTION_WARPS;
	SHARED(Half, queries);
	const attention_shape &s = c.shape;
	attention_place at = place_of(s, BLOCK, true, c.lengths, c.fault, c.call);
	if (at.rows < 0) return;
	int row = at.first, mine = row + warp_of() * OWN;
	float sums[M][W / 8][4];
	clear(sums);
	if (row < at.rows) gather_queries<W>(c, at, queries, sums, row, mine, min(row + BLOCK, at.rows));
	float factor[M][2];
#pragma unroll
	for (int m = 0; m < M; m++) factor[m][0] = factor[m][1] = s.scale;
	put_rows<W>(third(c.dqkv, s, at, 0), queries + warp_of() * OWN * W, sums, factor, mine, s);
}

#define QUERIES(suffix, Half, W)                                                                              \
	extern "C" __global__ __launch_bounds__(ATTENTION_THREADS, 2) void attention_backward_queries_##W##_##suffix(       \
		Half *dqkv, const Half *dout, const Half *qkv, const Half *out, const float *lse, float *delta,          \
		const int32_t *lengths, const int32_t *seed, attention_shape shape, fault_record *fault, int call) {     \
		backward_queries<W>(gradient_call<Half>{dqkv, dout, qkv, out, lse, delta, lengths, seed, shape, fault, call}); \
	}                                                                                                          \
	KERNEL(attention_backward_queries_##W##_##suffix)

#define QUERIES_WIDTHS(suffix, Half) \
	QUERIES(suffix, Half, 32) QUERIES(suffix, Half, 64) QUERIES(suffix, Half, 96) QUERIES(suffix, Half, 128)

QUERIES_WIDTHS(bf16, __nv_bfloat16)
QUERIES_WIDTHS(f16, __half)
