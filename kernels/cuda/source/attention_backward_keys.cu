// The second kernel of the gradient of attention: a block owns keys and values, and sums their dk and dv over the tiles of
// queries from their first row on. Scores have keys as rows, so that they multiply the tiles of dout and of queries as they lie
// in registers.
#include "attention_backward.cuh"

// A tile of queries that passes by: its rows of q and dout, and lse and delta of each. There are two, by turns.
template <int W, typename Half> struct query_tile {
	static constexpr int TILE = KEYS_TILE(W);
	Half q[TILE * W], dout[TILE * W];
	float lse[TILE], delta[TILE];
};
static_assert(2 * ATTENTION_TILE_BYTES(4 * KEYS_OWN(64), 64) + 2 * sizeof(query_tile<64, __half>) == KEYS_SHARED(64));

// begin_tile copies the tile of queries from row on.
template <int W, typename Half>
static __device__ __forceinline__ void begin_tile(query_tile<W, Half> &tile, const gradient_call<Half> &c,
	const attention_place &at, int row) {
	constexpr int TILE = KEYS_TILE(W);
	const attention_shape &s = c.shape;
	load_tile<TILE, W>(tile.q, third(c.qkv, s, at, 0), row, at.rows, s.D, s.wide);
	load_tile<TILE, W>(tile.dout, output_rows(c.dout, s, at), row, at.rows, s.D, s.wide);
	copy_async_commit();
}

// What this thread brings to the next tile: lse as a power of two, which is infinite for padding, or delta.
template <int W, typename Half>
static __device__ __forceinline__ float statistic_of(const gradient_call<Half> &c, const attention_place &at, int row) {
	constexpr int TILE = KEYS_TILE(W);
	int t = row + threadIdx.x % TILE;
	if (threadIdx.x >= 2 * TILE) return 0;
	bool lse = threadIdx.x < TILE;
	if (t >= at.rows) return lse ? INFINITY : 0;
	int64_t index = at.head * c.shape.T + t;
	return lse ? c.lse[index] * LOG2E : c.delta[index];
}

template <int W, typename Half> static __device__ __forceinline__ void put_statistic(query_tile<W, Half> &tile, float x) {
	constexpr int TILE = KEYS_TILE(W);
	if (threadIdx.x < TILE)
		tile.lse[threadIdx.x] = x;
	else if (threadIdx.x < 2 * TILE)
		tile.delta[threadIdx.x - TILE] = x;
}

// differ turns scores into mask*p, and dout·v into ds. index is that of the tile's first query and the warp's first key for
// dropout.
template <int W, typename Half, int M, int N>
static __device__ __forceinline__ void differ(float (&p)[M][N][4], float (&ds)[M][N][4], const query_tile<W, Half> &tile,
	float unit, const philox &dropout, uint64_t index, int T) {
#pragma unroll
	for (int m = 0; m < M; m++) {
		uint32_t kept = 0;
		if (dropout.threshold) {
			kept = kept_of_keys<N>(dropout, index + 16 * m, T);
			keep(ds[m], kept, dropout.scale);
		}
#pragma unroll
		for (int n = 0; n < N; n++)
#pragma unroll
			for (int e = 0; e < 4; e++) {
				int query = 8 * n + lane_of() % 4 * 2 + e % 2;
				p[m][n][e] = exp2_flushed(fmaf(p[m][n][e], unit, -tile.lse[query]));
				ds[m][n][e] = p[m][n][e] * (ds[m][n][e] - tile.delta[query]);
			}
		if (dropout.threshold) keep(p[m], kept, dropout.scale);
	}
}

// add_tile adds what a tile of queries gives to a warp's keys, the first of which is mine.
template <int W, typename Half, int M>
static __device__ __forceinline__ void add_tile(float (&dk)[M][W / 8][4], float (&dv)[M][W / 8][4],
	const query_tile<W, Half> &tile, const Half *keys, const Half *values, const gradient_call<Half> &c,
	const attention_place &at, const philox &dropout, int mine, int row) {
	constexpr int TILE = KEYS_TILE(W);
	const attention_shape &s = c.shape;
	float p[M][TILE / 8][4], ds[M][TILE / 8][4];
	clear(p), clear(ds);
	multiply_rows<W>(p, left_rows<false, W, M, Half>(keys), tile.q);
	multiply_rows<W>(ds, left_rows<false, W, M, Half>(values), tile.dout);
	if (mine + 16 * M - 1 > row) hide_earlier(p, mine, row);
	differ(p, ds, tile, s.scale * LOG2E, dropout, (uint64_t)(at.head * s.T + row) * s.T + mine, s.T);
	multiply_columns<W, Half>(dv, p, tile.dout);
	multiply_columns<W, Half>(dk, ds, tile.q);
}

// gather_keys sums dk and dv for the block's keys from first on.
template <int W, typename Half, int M>
static __device__ __forceinline__ void gather_keys(const gradient_call<Half> &c, const attention_place &at, Half *keys,
	Half *values, query_tile<W, Half> *tiles, float (&dk)[M][W / 8][4], float (&dv)[M][W / 8][4], int first) {
	constexpr int OWN = 16 * M, TILE = KEYS_TILE(W), BLOCK = OWN * ATTENTION_WARPS;
	const attention_shape &s = c.shape;
	int local = warp_of() * OWN;
	philox dropout = dropout_of(c.seed, s);
	load_tile<BLOCK, W>(keys, third(c.qkv, s, at, 1), first, at.rows, s.D, s.wide);
	load_tile<BLOCK, W>(values, third(c.qkv, s, at, 2), first, at.rows, s.D, s.wide);
	begin_tile(tiles[0], c, at, first);
	put_statistic(tiles[0], statistic_of<W>(c, at, first));
	for (int row = first, stage = 0; row < at.rows; row += TILE, stage ^= 1) {
		copy_async_wait<0>();
		__syncthreads(); // the tile is there, and the one before it was read by all
		bool more = row + TILE < at.rows;
		float statistic = 0;
		if (more) {
			begin_tile(tiles[stage ^ 1], c, at, row + TILE);
			statistic = statistic_of<W>(c, at, row + TILE);
		}
		if (row + TILE > first + local)
			add_tile<W>(dk, dv, tiles[stage], keys + local * W, values + local * W, c, at, dropout, first + local, row);
		if (more) put_statistic(tiles[stage ^ 1], statistic);
	}
}

template <int W, typename Half> static __device__ __forceinline__ void backward_keys(const gradient_call<Half> &c) {
	constexpr int OWN = KEYS_OWN(W), M = OWN / 16, BLOCK = OWN * ATTENTION_WARPS;
	SHARED(Half, keys);
	Half *values = keys + BLOCK * W;
	const attention_shape &s = c.shape;
	attention_place at = place_of(s, BLOCK, false, c.lengths, c.fault, c.call);
	if (at.rows < 0) return;
	int first = at.first, local = warp_of() * OWN;
	float dk[M][W / 8][4], dv[M][W / 8][4], factor[M][2], one[M][2];
	clear(dk), clear(dv);
	if (first < at.rows) gather_keys<W>(c, at, keys, values, (query_tile<W, Half> *)(values + BLOCK * W), dk, dv, first);
#pragma unroll
	for (int m = 0; m < M; m++) factor[m][0] = factor[m][1] = s.scale, one[m][0] = one[m][1] = 1;
	put_rows<W>(third(c.dqkv, s, at, 1), keys + local * W, dk, factor, first + local, s);
	put_rows<W>(third(c.dqkv, s, at, 2), values + local * W, dv, one, first + local, s);
}

#define KEYS(suffix, Half, W)                                                                                 \
	extern "C" __global__ __launch_bounds__(ATTENTION_THREADS, 2) void attention_backward_keys_##W##_##suffix(Half *dqkv, \
		const Half *dout, const Half *qkv, const Half *out, const float *lse, float *delta, const int32_t *lengths, \
		const int32_t *seed, attention_shape shape, fault_record *fault, int call) {                             \
		backward_keys<W>(gradient_call<Half>{dqkv, dout, qkv, out, lse, delta, lengths, seed, shape, fault, call}); \
	}                                                                                                          \
	KERNEL(attention_backward_keys_##W##_##suffix)

#define KEYS_WIDTHS(suffix, Half) KEYS(suffix, Half, 32) KEYS(suffix, Half, 64) KEYS(suffix, Half, 96) KEYS(suffix, Half, 128)

KEYS_WIDTHS(bf16, __nv_bfloat16)
KEYS_WIDTHS(f16, __half)
