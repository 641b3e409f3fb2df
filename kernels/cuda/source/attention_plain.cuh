// Tiles for attention without tensor cores, in float32: what fp32 takes, and heads too large for the others. A block of 128
// threads computes 64x64 scores, of which thread (ty, tx) of 8x16 has rows 8*ty to 8*ty+7 and columns 4*tx to 4*tx+3. Heads of
// any size pass through shared memory 32 columns at a time. Sums of rows of values are made for W columns of the head; a larger
// head takes several blocks, along z, that compute the same scores.
#pragma once

#include "attention_place.cuh"
#include "attention_scores.cuh"

enum { EDGE = PLAIN_EDGE, DEPTH = PLAIN_DEPTH, ROWS = 8, COLUMNS = 4 };

template <int N> static __device__ __forceinline__ void clear(float (&sums)[ROWS][N]) {
#pragma unroll
	for (int i = 0; i < ROWS; i++)
#pragma unroll
		for (int j = 0; j < N; j++) sums[i][j] = 0;
}

static __device__ __forceinline__ int thread_row() { return threadIdx.x / 16 * ROWS; }
static __device__ __forceinline__ int thread_column() { return threadIdx.x % 16 * COLUMNS; }

// A value as a product of the precision sees it.
template <typename Act> static __device__ __forceinline__ float rounded(float x) {
	Act narrowed;
	narrow(&narrowed, x);
	return widen(narrowed);
}

// Four values of a row: those of count, and zeroes.
template <typename Act> static __device__ __forceinline__ float4 load_four(const Act *from, int count, int wide) {
	struct alignas(4 * sizeof(Act)) four {
		Act at[4];
	};
	if (wide && count >= 4) {
		four x = *(const four *)from;
		return {widen(x.at[0]), widen(x.at[1]), widen(x.at[2]), widen(x.at[3])};
	}
	float x[4];
#pragma unroll
	for (int j = 0; j < 4; j++) x[j] = j < count ? widen(from[j]) : 0;
	return {x[0], x[1], x[2], x[3]};
}

// slot is where rows 4*group to 4*group+3 of a column lie in an array [columns][64]. The groups change places with the column,
// so that a row's columns can be written, and a column's rows read, without two threads wanting one bank.
static __device__ __forceinline__ int slot(int column, int group) { return column * EDGE + 4 * (group ^ (column >> 2 & 7)); }

// put_columns writes columns d to d+31 of rows first to first+63 of a head, transposed. What is not there becomes 0.
template <typename Act>
static __device__ __forceinline__ void put_columns(float *to, head_rows<const Act> from, int first, int end, int d,
	const attention_shape &s) {
#pragma unroll
	for (int i = threadIdx.x; i < EDGE * DEPTH / 4; i += ATTENTION_THREADS) {
		int row = i / (DEPTH / 4), column = i % (DEPTH / 4) * 4;
		const Act *at = from.start + (first + row) * from.stride + d + column;
		float4 x = load_four(at, first + row < end ? s.D - d - column : 0, s.wide);
		to[slot(column, row / 4) + row % 4] = x.x;
		to[slot(column + 1, row / 4) + row % 4] = x.y;
		to[slot(column + 2, row / 4) + row % 4] = x.z;
		to[slot(column + 3, row / 4) + row % 4] = x.w;
	}
}

// add_outer adds the outer product of this thread's rows of a column, transposed as put_columns has it, and of b.
template <int N> static __device__ __forceinline__ void add_outer(float (&sums)[ROWS][N], const float *at, int column,
	const float (&b)[N]) {
	int group = thread_row() / 4;
	float4 low = *(const float4 *)(at + slot(column, group)), high = *(const float4 *)(at + slot(column, group + 1));
	const float a[ROWS] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
#pragma unroll
	for (int i = 0; i < ROWS; i++)
#pragma unroll
		for (int j = 0; j < N; j++) sums[i][j] = fmaf(a[i], b[j], sums[i][j]);
}

// multiply_heads sets scores to the scalar products of 64 rows of a from first_a on and 64 rows of b from first_b on.
template <typename Act>
static __device__ __forceinline__ void multiply_heads(float (&scores)[ROWS][COLUMNS], float *room, head_rows<const Act> a,
	int first_a, int end_a, head_rows<const Act> b, int first_b, int end_b, const attention_shape &s) {
	clear(scores);
	for (int d = 0; d < s.D; d += DEPTH) {
		__syncthreads(); // what was in the room was read by all
		put_columns(room, a, first_a, end_a, d, s);
		put_columns(room + DEPTH * EDGE, b, first_b, end_b, d, s);
		__syncthreads();
#pragma unroll 8
		for (int column = 0; column < DEPTH; column++) {
			float4 x = *(const float4 *)(room + DEPTH * EDGE + slot(column, threadIdx.x % 16));
			const float four[COLUMNS] = {x.x, x.y, x.z, x.w};
			add_outer(scores, room, column, four);
		}
	}
}

// put_weights rounds scores and writes them transposed: column c of the tile is a column of the array.
template <typename Act> static __device__ __forceinline__ void put_weights(float *weights, const float (&scores)[ROWS][COLUMNS]) {
	__syncthreads(); // the weights before were read by all
#pragma unroll
	for (int j = 0; j < COLUMNS; j++)
#pragma unroll
		for (int half = 0; half < 2; half++) {
			float x[4];
#pragma unroll
			for (int e = 0; e < 4; e++) x[e] = rounded<Act>(scores[4 * half + e][j]);
			*(float4 *)(weights + slot(thread_column() + j, thread_row() / 4 + half)) = {x[0], x[1], x[2], x[3]};
		}
}

// add_weighted adds weights·rows for W columns of the head from column on: thread (ty, tx) has rows 8*ty to 8*ty+7 and, of each
// 64 columns, 4*tx to 4*tx+3.
template <int W, typename Act>
static __device__ __forceinline__ void add_weighted(float (&sums)[ROWS][W / 16], const float *weights, float *room,
	head_rows<const Act> from, int first, int end, int column, const attention_shape &s) {
	for (int part = 0; part < EDGE; part += DEPTH) {
		__syncthreads(); // the weights are there, and what was in the room was read by all
#pragma unroll
		for (int i = threadIdx.x; i < DEPTH * W / 4; i += ATTENTION_THREADS) {
			int row = part + i / (W / 4), d = column + i % (W / 4) * 4;
			const Act *at = from.start + (first + row) * from.stride + d;
			*(float4 *)(room + 4 * i) = load_four(at, first + row < end ? s.D - d : 0, s.wide);
		}
		__syncthreads();
#pragma unroll 4
		for (int row = 0; row < DEPTH; row++) {
			float b[W / 16];
#pragma unroll
			for (int j = 0; j < W / 64; j++) {
				float4 x = *(const float4 *)(room + row * W + 64 * j + thread_column());
				b[4 * j] = x.x, b[4 * j + 1] = x.y, b[4 * j + 2] = x.z, b[4 * j + 3] = x.w;
			}
			add_outer(sums, weights, part + row, b);
		}
	}
}

// store_sums writes W columns from column on of rows first to first+63, each times its factor, without rows from T on.
template <int W, typename Act>
static __device__ __forceinline__ void store_sums(head_rows<Act> to, const float (&sums)[ROWS][W / 16],
	const float (&factor)[ROWS], int first, int column, const attention_shape &s) {
	struct alignas(4 * sizeof(Act)) four {
		Act at[4];
	};
#pragma unroll
	for (int i = 0; i < ROWS; i++)
#pragma unroll
		for (int j = 0; j < W / 64; j++) {
			int row = first + thread_row() + i, d = column + 64 * j + thread_column();
			if (row >= s.T || d >= s.D) continue;
			four x;
#pragma unroll
			for (int e = 0; e < 4; e++) narrow(&x.at[e], sums[i][4 * j + e] * factor[i]);
			Act *at = to.start + row * to.stride + d;
			if (s.wide)
				*(four *)at = x;
			else
				for (int e = 0; e < min(s.D - d, 4); e++) at[e] = x.at[e];
		}
}

// A row of scores belongs to 16 threads in a row.
static __device__ __forceinline__ float row_max(float x) {
#pragma unroll
	for (int apart = 1; apart < 16; apart *= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffff, x, apart));
	return x;
}
static __device__ __forceinline__ float row_sum(float x) {
#pragma unroll
	for (int apart = 1; apart < 16; apart *= 2) x += __shfl_xor_sync(0xffffffff, x, apart);
	return x;
}

// factors_of are the dropout factors of four keys in a row, by the index of the first.
static __device__ __forceinline__ float4 factors_of(const philox &p, uint64_t index, float scale) {
	float f[4];
	if (index % 4) {
#pragma unroll 1
		for (int j = 0; j < 4; j++) f[j] = philox_element(p, index + j) != 0 ? scale : 0;
	} else {
		philox_block block = philox_words(p, index / 4);
#pragma unroll
		for (int j = 0; j < 4; j++) f[j] = block.word[j] >= p.threshold ? scale : 0;
	}
	return {f[0], f[1], f[2], f[3]};
}

// keep_keys multiplies what dropout keeps by scale, and the rest by 0. Rows are queries from query on, columns keys from key
// on.
static __device__ __forceinline__ void keep_keys(float (&p)[ROWS][COLUMNS], const philox &dropout, int64_t head, int query,
	int key, float scale, int T) {
#pragma unroll
	for (int i = 0; i < ROWS; i++) {
		float4 f = factors_of(dropout, (uint64_t)(head * T + query + thread_row() + i) * T + key + thread_column(), scale);
		p[i][0] *= f.x, p[i][1] *= f.y, p[i][2] *= f.z, p[i][3] *= f.w;
	}
}

// keep_queries sets the dropout factors where rows are keys from key on and columns queries from query on: this thread's eight
// keys are two counters' for each query.
static __device__ __forceinline__ void keep_queries(float (&factor)[ROWS][COLUMNS], const philox &dropout, int64_t head, int key,
	int query, int T) {
#pragma unroll
	for (int j = 0; j < COLUMNS; j++) {
		uint64_t index = (uint64_t)(head * T + query + thread_column() + j) * T + key + thread_row();
#pragma unroll
		for (int i = 0; i < ROWS; i += 4) {
			float4 f = {1, 1, 1, 1};
			if (dropout.threshold) f = factors_of(dropout, index + i, dropout.scale);
			factor[i][j] = f.x, factor[i + 1][j] = f.y, factor[i + 2][j] = f.z, factor[i + 3][j] = f.w;
		}
	}
}
