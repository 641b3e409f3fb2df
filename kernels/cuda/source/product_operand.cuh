// A block's pieces of one operand in shared memory: copied there 16 bytes at a time, read back as fragments for tensor cores.
#pragma once

#include "act.cuh"
#include "product_tiles.h"
#include "tensor.cuh"

// A piece has lines lines (rows of a, columns of b) and depth chunks of 16 bytes of K, and lies as the operand does in memory:
// along_k says that K runs along its rows, else its lines do. Within a row the chunks are permuted, or rows have gaps, so that
// neither the copies nor the reads of fragments meet in a bank.
template <typename Element, int lines, int depth, int threads, bool along_k, bool wide> struct operand {
	static constexpr int size = 16 / sizeof(Element);               // elements in a chunk
	static constexpr int rows = along_k ? lines : depth * size;     // of the piece
	static constexpr int chunks = along_k ? depth : lines / size;   // in a row
	static constexpr int together = threads / chunks;               // rows that the block copies at a time
	static constexpr bool words = !along_k && sizeof(Element) == 4; // read one by one: matrix loads transpose halves only
	static constexpr int row_chunks = chunks + (words ? TF32_GAP : 0), bytes = rows * row_chunks * 16;
	static_assert(threads % chunks == 0 && rows % together == 0, "chunks for every thread");

	const Element *data;
	int64_t stride;
	int line, lines_end; // the first line of the piece, the number of lines of the operand

	// place is where a chunk lies in the piece, in bytes. 8 rows of the same chunk lie in different banks; with words 8 elements of 4
	// rows do, by the gaps.
	static __device__ int place(int row, int chunk) {
		int other = words ? 0 : chunks >= 8 ? row % 8 : row / 2 % 4;
		return (row * row_chunks + (chunk ^ other)) * 16;
	}

	// copy begins to copy part of parts of the piece at k. What lies behind k_end or the last line becomes 0; a chunk is copied
	// whole where its first element is inside, since 0 follows the end of a row there.
	template <int parts> __device__ void copy(unsigned char *piece, int k, int k_end, int part) const {
		int chunk = threadIdx.x % chunks, row = threadIdx.x / chunks;
		int across = (along_k ? k : line) + chunk * size, across_end = along_k ? k_end : lines_end;
		int down = (along_k ? line : k) + row, down_end = along_k ? lines_end : k_end;
#pragma unroll
		for (int i = 0; i < rows; i += together) {
			if (i / together % parts != part) continue;
			unsigned char *to = piece + place(row + i, chunk);
			const Element *from = data + (down + i) * stride + across;
			int inside = down + i < down_end ? across_end - across : 0;
			if constexpr (wide) copy_async(to, from, inside > 0 ? 16 : 0);
			else copy_elements(to, from, inside);
		}
	}

	static __device__ void copy_elements(unsigned char *to, const Element *from, int count) {
		pack<Element> p;
#pragma unroll
		for (int i = 0; i < size; i++) narrow(&p.at[i], i < count ? widen(from[i]) : 0.0f);
		*(pack<Element> *)to = p;
	}

	// fragment reads a square of 16 lines and 2 chunks of K, as mma wants it: four matrices of 8 lines and a chunk, with k_first in
	// the order line 0 chunk 0, line 0 chunk 1, line 8 chunk 0, line 8 chunk 1 (two b), else with the middle ones exchanged (one a).
	template <bool k_first> static __device__ void fragment(uint32_t (&r)[4], const unsigned char *piece, int first, int chunk) {
		int lane = threadIdx.x % 32;
		if constexpr (words) {
#pragma unroll
			for (int i = 0; i < 4; i++) {
				int n = first + 8 * (k_first ? i / 2 : i % 2) + lane / 4, k = (chunk + (k_first ? i % 2 : i / 2)) * size + lane % 4;
				r[i] = *(const uint32_t *)(piece + place(k, n / size) + n % size * 4);
			}
		} else {
			int matrix = lane / 8, n = first + 8 * (k_first ? matrix / 2 : matrix % 2), k = chunk + (k_first ? matrix % 2 : matrix / 2);
			if constexpr (along_k) load_matrix_x4(r, piece + place(n + lane % 8, k));
			else load_matrix_x4_transposed(r, piece + place(k * size + lane % 8, n / size));
		}
	}
};
