// Tiles of rows in shared memory, for attention in half precision: W halves a row, in chunks of 16 bytes. The chunks of a row
// change places by the row's number, so that the eight rows which ldmatrix reads at one chunk lie in different banks.
#pragma once

#include "act.cuh"
#include "attention.h"
#include "tensor.cuh"

// Rows of one head in global memory: row r begins at start + r*stride.
template <typename Act> struct head_rows {
	Act *start;
	int64_t stride;
};

static __device__ __forceinline__ int lane_of() { return threadIdx.x & 31; }
static __device__ __forceinline__ int warp_of() { return threadIdx.x >> 5; }

// tile_at is where a chunk of a row lies, in halves. Rows of 64 or 128 halves fill all banks, so eight of them need eight
// places; those of 32 or 96 begin at two different ones by themselves, and the four places within half of the banks do.
template <int W> static __device__ __forceinline__ int tile_at(int row, int chunk) {
	return row * W + 8 * (chunk ^ (W % 64 ? row >> 1 & 3 : row & 7));
}

// A chunk of a row that does not lie at 16 bytes, or is not whole: count values and zeroes.
template <typename Act> static __device__ __forceinline__ pack<Act> gather(const Act *from, int count) {
	pack<Act> p;
#pragma unroll
	for (int j = 0; j < pack<Act>::size; j++) {
		if (j < count)
			p.at[j] = from[j];
		else
			narrow(&p.at[j], 0.0f);
	}
	return p;
}

// gather_tile is load_tile for rows that do not lie at 16 bytes.
template <int ROWS, int W, typename Half>
static __device__ __forceinline__ void gather_tile(Half *tile, head_rows<const Half> from, int first, int end, int D) {
	constexpr int CHUNKS = W / 8;
#pragma unroll 1
	for (int i = threadIdx.x; i < ROWS * CHUNKS; i += ATTENTION_THREADS) {
		int row = i / CHUNKS, chunk = i % CHUNKS;
		const Half *at = from.start + (first + row) * from.stride + 8 * chunk;
		*(pack<Half> *)(tile + tile_at<W>(row, chunk)) = gather(at, first + row < end ? D - 8 * chunk : 0);
	}
}

// load_tile begins to copy rows first to first+ROWS-1 of a head; rows from end on and columns from D on become 0. The rows are
// there after copy_async_wait and a barrier. A thread has one chunk of every STEP-th row. STEP is a multiple of 8, so that the
// places of its chunks are a constant apart; for that, a quarter of the threads have nothing to do where rows are 12 chunks.
template <int ROWS, int W, typename Half>
static __device__ __forceinline__ void load_tile(Half *tile, head_rows<const Half> from, int first, int end, int D, int wide) {
	constexpr int CHUNKS = W / 8, STEP = ATTENTION_THREADS / CHUNKS / 8 * 8;
	static_assert(ROWS % STEP == 0);
	if (!wide) return gather_tile<ROWS, W>(tile, from, first, end, D);
	int row = threadIdx.x / CHUNKS, chunk = threadIdx.x % CHUNKS, bytes = 8 * chunk < D ? 16 : 0;
	if (row >= STEP) return;
	const Half *at = from.start + (first + row) * from.stride + 8 * chunk;
	Half *to = tile + tile_at<W>(row, chunk);
#pragma unroll
	for (int i = 0; i < ROWS / STEP; i++)
		copy_async(to + i * STEP * W, at + i * STEP * from.stride, first + row + i * STEP < end ? bytes : 0);
}

// store_tile writes a warp's ROWS rows of a tile as rows first to first+ROWS-1 of a head, without those from end on.
template <int ROWS, int W, typename Half>
static __device__ __forceinline__ void store_tile(head_rows<Half> to, const Half *tile, int first, int end, int D, int wide) {
	constexpr int CHUNKS = W / 8;
	for (int i = lane_of(); i < ROWS * CHUNKS; i += 32) {
		int row = i / CHUNKS, chunk = i % CHUNKS;
		if (first + row >= end || 8 * chunk >= D) continue;
		pack<Half> p = *(const pack<Half> *)(tile + tile_at<W>(row, chunk));
		Half *at = to.start + (first + row) * to.stride + 8 * chunk;
		if (wide)
			*(pack<Half> *)at = p;
		else
			for (int j = 0; j < min(D - 8 * chunk, 8); j++) at[j] = p.at[j];
	}
}
