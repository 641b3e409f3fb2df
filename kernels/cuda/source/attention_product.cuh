// Products of tiles on tensor cores. A warp owns M times 16 rows of the left operand. Sums, and the left operands made from
// them, lie in the fragments of mma_16x8x16: thread l holds, of each 16x8 piece, rows l/4 and l/4 + 8, columns 2(l%4) and
// 2(l%4) + 1.
#pragma once

#include "attention_tile.cuh"

// pair is two values rounded to halves, the first in the lower bits.
template <typename Half> static __device__ uint32_t pair(float low, float high);
template <> __device__ __forceinline__ uint32_t pair<__half>(float low, float high) {
	__half2 v = __floats2half2_rn(low, high);
	uint32_t bits;
	memcpy(&bits, &v, sizeof bits);
	return bits;
}
template <> __device__ __forceinline__ uint32_t pair<__nv_bfloat16>(float low, float high) {
	__nv_bfloat162 v = __floats2bfloat162_rn(low, high);
	uint32_t bits;
	memcpy(&bits, &v, sizeof bits);
	return bits;
}

// left_at is where this thread's row begins for load_matrix_x4 of the 16x16 piece at row and column 16k: the four matrices are,
// in this order, the upper and lower rows of the left half and of the right half. right_at: left and right half of the upper
// rows, then of the lower ones.
template <int W> static __device__ __forceinline__ int left_at(int row, int k) {
	int lane = lane_of();
	return tile_at<W>(row + (lane & 15), 2 * k + (lane >> 4));
}
template <int W> static __device__ __forceinline__ int right_at(int row, int k) {
	int lane = lane_of();
	return tile_at<W>(row + (lane & 7) + (lane >> 4) * 8, 2 * k + (lane >> 3 & 1));
}

// Left operands: a warp's rows of a tile, held in registers, or read again for each product.
template <bool held, int W, int M, typename Half> struct left_rows;
template <int W, int M, typename Half> struct left_rows<true, W, M, Half> {
	uint32_t at[M][W / 16][4];
	__device__ __forceinline__ explicit left_rows(const Half *tile) {
#pragma unroll
		for (int m = 0; m < M; m++)
#pragma unroll
			for (int k = 0; k < W / 16; k++) load_matrix_x4(at[m][k], tile + left_at<W>(16 * m, k));
	}
	__device__ __forceinline__ void get(uint32_t a[4], int m, int k) const {
#pragma unroll
		for (int i = 0; i < 4; i++) a[i] = at[m][k][i];
	}
};
template <int W, int M, typename Half> struct left_rows<false, W, M, Half> {
	const Half *tile;
	__device__ __forceinline__ explicit left_rows(const Half *tile) : tile(tile) {}
	__device__ __forceinline__ void get(uint32_t a[4], int m, int k) const { load_matrix_x4(a, tile + left_at<W>(16 * m, k)); }
};

template <int M, int N> static __device__ __forceinline__ void clear(float (&sums)[M][N][4]) {
#pragma unroll
	for (int m = 0; m < M; m++)
#pragma unroll
		for (int n = 0; n < N; n++)
#pragma unroll
			for (int e = 0; e < 4; e++) sums[m][n][e] = 0;
}

// multiply_rows adds left·rightᵀ: the scalar products of rows of the left operand and rows of a tile, over W columns.
template <int W, typename Half, int M, int N, typename Left>
static __device__ __forceinline__ void multiply_rows(float (&sums)[M][N][4], const Left &left, const Half *right) {
#pragma unroll
	for (int k = 0; k < W / 16; k++) {
		uint32_t a[M][4];
#pragma unroll
		for (int m = 0; m < M; m++) left.get(a[m], m, k);
#pragma unroll
		for (int n = 0; n < N; n += 2) {
			uint32_t b[4];
			load_matrix_x4(b, right + right_at<W>(8 * n, k));
#pragma unroll
			for (int m = 0; m < M; m++) {
				mma_16x8x16<Half>(sums[m][n], a[m], b);
				mma_16x8x16<Half>(sums[m][n + 1], a[m], b + 2);
			}
		}
	}
}

// multiply_columns adds weights·right, where the weights lie as multiply_rows left them and are rounded here, and a tile has a
// row for each of their columns.
template <int W, typename Half, int M, int N>
static __device__ __forceinline__ void multiply_columns(float (&sums)[M][W / 8][4], const float (&weights)[M][N][4],
	const Half *right) {
#pragma unroll
	for (int k = 0; k < N; k += 2) {
		uint32_t a[M][4];
#pragma unroll
		for (int m = 0; m < M; m++)
#pragma unroll
			for (int i = 0; i < 4; i++)
				a[m][i] = pair<Half>(weights[m][k + i / 2][i % 2 * 2], weights[m][k + i / 2][i % 2 * 2 + 1]);
#pragma unroll
		for (int n = 0; n < W / 8; n += 2) {
			uint32_t b[4];
			load_matrix_x4_transposed(b, right + left_at<W>(8 * k, n / 2));
#pragma unroll
			for (int m = 0; m < M; m++) {
				mma_16x8x16<Half>(sums[m][n], a[m], b);
				mma_16x8x16<Half>(sums[m][n + 1], a[m], b + 2);
			}
		}
	}
}

// put_rows writes a warp's sums, each row times its factor, as rows first to first+16M-1 of a head, without those from T on.
// They pass through a tile of the warp's own.
template <int W, typename Half, int M>
static __device__ __forceinline__ void put_rows(head_rows<Half> to, Half *tile, const float (&sums)[M][W / 8][4],
	const float (&factor)[M][2], int first, const attention_shape &s) {
	int row = lane_of() / 4, column = lane_of() % 4 * 2;
	__syncwarp();
#pragma unroll
	for (int m = 0; m < M; m++)
#pragma unroll
		for (int n = 0; n < W / 8; n++)
#pragma unroll
			for (int r = 0; r < 2; r++)
				*(uint32_t *)(tile + tile_at<W>(16 * m + 8 * r + row, n) + column) =
					pair<Half>(sums[m][n][2 * r] * factor[m][r], sums[m][n][2 * r + 1] * factor[m][r]);
	__syncwarp();
	store_tile<16 * M, W>(to, tile, first, s.T, s.D, s.wide);
}
