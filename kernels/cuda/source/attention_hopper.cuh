// What the attention kernels of sm_90a share: tiles of 128 rows of a head in panels of 64 columns, as load_box leaves them, and
// their products. Of a block's three warpgroups the first has one thread copy, and the others own 64 rows each of a tile; other tiles
// pass by, two at a time.
//
// A block takes two tiles of a head, the n-th and the n-th from the end: what they look at is the same for every block, and the second
// one's rows come while the first is at work.
#pragma once

#include "attention_product.cuh"
#include "hopper.cuh"

#if HAS_HOPPER

enum { TILE = HOPPER_TILE, PANEL = HOPPER_PANEL, STAGES = HOPPER_STAGES, GROUP = 128, OWNERS = 2 };

// A tile of its own that a block works for, and the tiles that pass by: from begin to end-1. There are none where it is padding.
struct hopper_part {
	int tile, begin, end;
};

// count_of is how many tiles a block takes, and part_of what it does for each: the block whose place is at, among queries, which look
// back, or keys, which look ahead.
static __device__ __forceinline__ int count_of(const attention_place &at, int T) { return T > at.first + TILE ? 2 : 1; }

template <bool keys> static __device__ __forceinline__ hopper_part part_of(const attention_place &at, int T, int which) {
	int all = (T + TILE - 1) / TILE, seen = (at.rows + TILE - 1) / TILE, first = at.first / (2 * TILE);
	int tile = which ? all - 1 - first : first;
	if (tile >= seen) return {tile, 0, 0};
	return {tile, keys ? tile : 0, keys ? seen : tile + 1};
}

// What a thread of an owner knows: which owner it is, and the first of its warp's rows in a tile.
struct hopper_owner {
	int group, row;
};
static __device__ __forceinline__ hopper_owner owner_of() { return {warp_of() / 4 - 1, (warp_of() - 4) * 16}; }

// group_barrier lets the four warps of an owner wait for each other.
static __device__ __forceinline__ void group_barrier(const hopper_owner &owner) { threads_barrier(1 + owner.group, GROUP); }

// copy_rows begins to copy a tile of 128 rows of a head from row on, whose columns begin at column in the packed rows.
template <int W, typename Half>
static __device__ __forceinline__ void copy_rows(Half *to, const tensor_map *map, int64_t column, int row, int b,
	uint64_t *ready) {
	barrier_expect(ready, TILE * W * 2);
#pragma unroll
	for (int panel = 0; panel < W / PANEL; panel++)
		load_box(to + panel * TILE * PANEL, map, (int)column + panel * PANEL, row, b, ready);
}

// begin_scores begins the products of a warpgroup's 64 rows of a tile with 64 or 128 rows of another one.
template <int W, int N, typename Half>
static __device__ __forceinline__ void begin_scores(float (&scores)[N][4], const Half *left, const Half *right) {
	settle(scores);
	products_begin();
#pragma unroll
	for (int i = 0; i < W / 16; i++) {
		int panel = i / 4, column = i % 4 * 16;
		multiply_tiles<Half>(scores, swizzled_tile(left + panel * TILE * PANEL + column, 0),
			swizzled_tile(right + panel * TILE * PANEL + column, 0), i > 0);
	}
	products_commit();
}

// begin_sums begins the products of weights, 64 or 128 a row, with as many rows of a tile.
template <int W, int K, typename Half>
static __device__ __forceinline__ void begin_sums(float (&sums)[W / 8][4], const uint32_t (&weights)[K][4], const Half *right) {
	settle(sums);
	products_begin();
#pragma unroll
	for (int i = 0; i < K; i++)
		multiply_weights<Half>(sums, weights[i], swizzled_tile(right + i * 16 * PANEL, TILE * PANEL * 2));
	products_commit();
}

// free_tile says that the warp has read a tile.
static __device__ __forceinline__ void free_tile(uint64_t *barrier) {
	if (lane_of() == 0) barrier_arrive(barrier);
	__syncwarp();
}

// round_weights rounds sums to the left operand of begin_sums.
template <typename Half, int K>
static __device__ __forceinline__ void round_weights(uint32_t (&p)[K][4], const float (&scores)[2 * K][4]) {
#pragma unroll
	for (int i = 0; i < K; i++)
#pragma unroll
		for (int j = 0; j < 4; j++) p[i][j] = pair<Half>(scores[2 * i + j / 2][j % 2 * 2], scores[2 * i + j / 2][j % 2 * 2 + 1]);
}

#endif
