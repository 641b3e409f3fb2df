#include "product_epilogue.cuh"
#include "product_tiles.h"

// A kind of tile in float32; the numbers are explained in product_tiles.h.
template <int M_, int N_, int depth_, int rows_, int columns_, int blocks_> struct f32_tile {
	static constexpr int M = M_, N = N_, depth = depth_, rows = rows_, columns = columns_, blocks = blocks_;
	static constexpr int threads = F32_THREADS(M, N, depth, rows, columns, blocks), threads_N = N / columns;
	// A thread's rows and columns lie in groups of 4, far apart: neighbouring threads read neighbouring 16 bytes.
	static constexpr int row_groups = (rows + 3) / 4, column_groups = columns / 4, group_rows = rows / row_groups;

	static __device__ int row(int i) {
		return i / group_rows * (M / row_groups) + threadIdx.x / threads_N * group_rows + i % group_rows;
	}
	static __device__ int column(int group) { return group * (N / column_groups) + threadIdx.x % threads_N * 4; }
};

// A block's piece of one operand: in registers on its way, then in shared memory as [depth][lines], so that the threads read
// neighbouring lines.
template <class Tile, int lines, bool along_k> struct f32_operand {
	static constexpr int rows = along_k ? lines : Tile::depth, chunks = (along_k ? Tile::depth : lines) / 4;
	static constexpr int together = Tile::threads / chunks, count = rows / together, row = lines + F32_GAP;
	static_assert(Tile::threads % chunks == 0 && rows % together == 0, "chunks for every thread");

	const float *data;
	int64_t stride;
	int wide;            // rows begin at multiples of 16 bytes, and 0 follows their end
	int line, lines_end; // the first line of the piece, the number of lines of the operand
	pack<float> held[count] = {};

	// fetch reads the piece at k. What lies behind k_end or the last line becomes 0.
	__device__ void fetch(int k, int k_end) {
		int across = (along_k ? k : line) + threadIdx.x % chunks * 4, across_end = along_k ? k_end : lines_end;
		int down = (along_k ? line : k) + threadIdx.x / chunks, down_end = along_k ? lines_end : k_end;
#pragma unroll
		for (int i = 0; i < count; i++) {
			const float *from = data + (down + i * together) * stride + across;
			int inside = down + i * together < down_end ? across_end - across : 0;
			held[i] = {};
			if (wide) {
				if (inside > 0) held[i] = *(const pack<float> *)from;
			} else {
#pragma unroll
				for (int j = 0; j < 4; j++)
					if (j < inside) held[i].at[j] = from[j];
			}
		}
	}

	// put stores the piece.
	__device__ void put(float *piece) const {
		int chunk = threadIdx.x % chunks, first = threadIdx.x / chunks;
#pragma unroll
		for (int i = 0; i < count; i++) {
			int n = first + i * together;
			if constexpr (along_k) {
#pragma unroll
				for (int j = 0; j < 4; j++) piece[(chunk * 4 + j) * row + n] = held[i].at[j];
			} else {
				*(pack<float> *)(piece + n * row + chunk * 4) = held[i];
			}
		}
	}
};

// multiply_piece adds a piece's products. Every sum goes through K in order, whatever the tile.
template <class Tile>
static __device__ inline void multiply_piece(float (&sums)[Tile::rows][Tile::columns], const float *a, const float *b) {
	constexpr int a_row = Tile::M + F32_GAP, b_row = Tile::N + F32_GAP;
#pragma unroll 2 // more takes more than the 128 registers that there are
	for (int k = 0; k < Tile::depth; k++) {
		alignas(16) float x[Tile::rows], y[Tile::columns];
#pragma unroll
		for (int i = 0; i < Tile::rows; i += Tile::group_rows) {
			if constexpr (Tile::group_rows == 4) *(float4 *)(x + i) = *(const float4 *)(a + k * a_row + Tile::row(i));
			else x[i] = a[k * a_row + Tile::row(i)];
		}
#pragma unroll
		for (int i = 0; i < Tile::column_groups; i++) *(float4 *)(y + 4 * i) = *(const float4 *)(b + k * b_row + Tile::column(i));
#pragma unroll
		for (int i = 0; i < Tile::rows; i++)
#pragma unroll
			for (int j = 0; j < Tile::columns; j++) sums[i][j] = fmaf(x[i], y[j], sums[i][j]);
	}
}

// store_tile puts a thread's sums through the epilogue, or stores them as a slice's part.
template <class Tile>
static __device__ inline void store_tile(const product_args &p, int m0, int n0, const float (&sums)[Tile::rows][Tile::columns]) {
	bool accumulate = !p.partials && accumulates(p.mode, p.step);
#pragma unroll
	for (int i = 0; i < Tile::rows; i++) {
#pragma unroll
		for (int j = 0; j < Tile::column_groups; j++) {
			sums_of<1, 4> s{m0 + Tile::row(i), 1, n0 + Tile::column(j), {}};
#pragma unroll
			for (int c = 0; c < 4; c++) s.x[0][c] = sums[i][4 * j + c];
			if (p.partials) s.keep(p);
			else if (p.c_wide) s.template finish<true, float>(p, accumulate);
			else s.template finish<false, float>(p, accumulate);
		}
	}
}

template <class Tile, bool a_transposed, bool b_transposed> static __device__ inline void multiply_tile(const product_args &p) {
	SHARED(float, memory);
	constexpr int a_size = Tile::depth * (Tile::M + F32_GAP), both = a_size + Tile::depth * (Tile::N + F32_GAP);
	int m, n, k = blockIdx.y * p.slice, k_end = min(k + p.slice, p.K);
	tile_of((p.M + Tile::M - 1) / Tile::M, (p.N + Tile::N - 1) / Tile::N, &m, &n);
	f32_operand<Tile, Tile::M, !a_transposed> a{(const float *)p.a, p.a_stride, p.a_wide, m * Tile::M, p.M};
	f32_operand<Tile, Tile::N, b_transposed> b{(const float *)p.b, p.b_stride, p.b_wide, n * Tile::N, p.N};
	float sums[Tile::rows][Tile::columns] = {};
	a.fetch(k, k_end), b.fetch(k, k_end);
	for (float *piece = memory; k < k_end; k += Tile::depth) {
		a.put(piece), b.put(piece + a_size);
		__syncthreads();
		if (k + Tile::depth < k_end) a.fetch(k + Tile::depth, k_end), b.fetch(k + Tile::depth, k_end);
		multiply_piece<Tile>(sums, piece, piece + a_size);
		piece = piece == memory ? memory + both : memory;
	}
	store_tile<Tile>(p, m * Tile::M, n * Tile::N, sums);
}

#define TILE_TYPE(...) f32_tile<__VA_ARGS__>
#define PRODUCT_KERNEL(tile, name, a_transposed, b_transposed)                                                \
	extern "C" __global__ void __launch_bounds__(tile(TILE_TYPE)::threads, tile(TILE_TYPE)::blocks) name(product_args p) { \
		multiply_tile<tile(TILE_TYPE), a_transposed, b_transposed>(p);                                           \
	}                                                                                                          \
	KERNEL(name)

PRODUCT_KERNEL(F32_128X128, product_128x128_nn_f32, false, false)
PRODUCT_KERNEL(F32_128X128, product_128x128_nt_f32, false, true)
PRODUCT_KERNEL(F32_128X128, product_128x128_tn_f32, true, false)
PRODUCT_KERNEL(F32_64X64, product_64x64_nn_f32, false, false)
PRODUCT_KERNEL(F32_64X64, product_64x64_nt_f32, false, true)
PRODUCT_KERNEL(F32_64X64, product_64x64_tn_f32, true, false)
PRODUCT_KERNEL(F32_16X32, product_16x32_nn_f32, false, false)
PRODUCT_KERNEL(F32_16X32, product_16x32_nt_f32, false, true)
