// A tile of a product on tensor cores.
#pragma once

#include "product_epilogue.cuh"
#include "product_operand.cuh"

// A float element is multiplied as TF32.
static __device__ inline void multiply(float (&d)[4], const uint32_t *a, const uint32_t *b, float) { mma_16x8x8_tf32(d, a, b); }
template <typename Half> static __device__ inline void multiply(float (&d)[4], const uint32_t *a, const uint32_t *b, Half) {
	mma_16x8x16<Half>(d, a, b);
}

// A kind of tile; the numbers are explained in product_tiles.h.
template <int M_, int N_, int depth_, int stages_, int warp_M_, int warp_N_, int blocks_> struct product_tile {
	static constexpr int M = M_, N = N_, depth = depth_, stages = stages_, warp_M = warp_M_, warp_N = warp_N_, blocks = blocks_;
	static constexpr int threads = TILE_THREADS(M, N, depth, stages, warp_M, warp_N, blocks);
	static constexpr int warps_N = N / warp_N, row = N + TILE_GAP; // row: of the sums in shared memory, in floats
	// A step is what one mma takes of K: two chunks. The loop below takes two steps at a time.
	static constexpr int steps = depth / 2, a_count = warp_M / 16, b_count = warp_N / 16;
	static_assert(steps % 2 == 0 && warp_M % 16 == 0 && warp_N % 16 == 0 && row % 32 == 8 + N % 32, "whole fragments");

	// at is the place of a sum in shared memory: the halves of 8 columns change places from row to row and from 32 columns to the
	// next, so that neither writing fragments nor reading rows by 8 columns meets in a bank.
	static __device__ int at(int m, int n) { return m * row + (((n / 4) ^ ((n / 32 ^ m) & 1)) * 4) + n % 4; }
};

// A warp's fragments of one step.
template <class Tile> struct fragments {
	uint32_t a[Tile::a_count][4], b[Tile::b_count][4];

	// round makes floats TF32; halves stay as they are.
	__device__ void round(float) {
#pragma unroll
		for (int j = 0; j < 4; j++) {
#pragma unroll
			for (int i = 0; i < Tile::a_count; i++) a[i][j] = tf32(__uint_as_float(a[i][j]));
#pragma unroll
			for (int i = 0; i < Tile::b_count; i++) b[i][j] = tf32(__uint_as_float(b[i][j]));
		}
	}
	template <typename Half> __device__ void round(Half) {}
};

// The tile of a block, and its part of K where that is cut into slices.
template <typename Element, class Tile, bool a_transposed, bool b_transposed, bool wide> struct product_block {
	using A = operand<Element, Tile::M, Tile::depth, Tile::threads, !a_transposed, wide>;
	using B = operand<Element, Tile::N, Tile::depth, Tile::threads, b_transposed, wide>;
	using Sums = float[Tile::a_count][2 * Tile::b_count][4];
	static constexpr int stage_bytes = A::bytes + B::bytes, depth = Tile::depth * A::size;
	static constexpr int early = sizeof(Element) == 2; // steps from reading fragments to using them; TF32 has no registers for 1

	unsigned char *memory;
	A a;
	B b;
	int k, k_end;

	static __device__ int warp_m() { return threadIdx.x / 32 / Tile::warps_N * Tile::warp_M; }
	static __device__ int warp_n() { return threadIdx.x / 32 % Tile::warps_N * Tile::warp_N; }

	template <int parts> __device__ void copy(unsigned char *piece, int from_k, int part) const {
		a.template copy<parts>(piece, from_k, k_end, part);
		b.template copy<parts>(piece + A::bytes, from_k, k_end, part);
	}

	static __device__ void read(fragments<Tile> &f, const unsigned char *piece, int step) {
#pragma unroll
		for (int i = 0; i < Tile::a_count; i++) A::template fragment<false>(f.a[i], piece, warp_m() + 16 * i, 2 * step);
#pragma unroll
		for (int i = 0; i < Tile::b_count; i++) B::template fragment<true>(f.b[i], piece + A::bytes, warp_n() + 16 * i, 2 * step);
	}

	static __device__ void add(Sums &sums, fragments<Tile> &f) {
		f.round(Element());
#pragma unroll
		for (int i = 0; i < Tile::a_count; i++)
#pragma unroll
			for (int j = 0; j < 2 * Tile::b_count; j++) multiply(sums[i][j], f.a[i], f.b[j / 2] + j % 2 * 2, Element());
	}

	// next_piece waits until a piece is there for all threads. All of them have read the piece before the last one by then.
	static __device__ void next_piece() {
		copy_async_wait<Tile::stages - 2>();
		__syncthreads();
	}

	// sum goes through K. While tensor cores work, fragments of the next step are read and later pieces are under way. The order of
	// the additions to one sum does not depend on the tile.
	__device__ void sum(Sums &sums) const {
		constexpr int stages = Tile::stages, ahead = (stages - 1) * depth;
		if (k >= k_end) return;
#pragma unroll
		for (int i = 0; i < stages - 1; i++) {
			if (k + i * depth < k_end) copy<1>(memory + i * stage_bytes, k + i * depth, 0);
			copy_async_commit();
		}
		fragments<Tile> f[early + 1];
		unsigned char *piece = memory, *free = memory + (stages - 1) * stage_bytes;
		next_piece();
		if (early) read(f[0], piece, 0);
#pragma unroll 1
		for (int at = k; at < k_end; at += depth) {
#pragma unroll
			for (int step = 0; step < Tile::steps; step++) {
				if (at + ahead < k_end) copy<Tile::steps>(free, at + ahead, step);
				if (step + early < Tile::steps) read(f[(step + early) % (early + 1)], piece, step + early);
				if (step + 1 == Tile::steps) {
					copy_async_commit();
					next_piece();
					free = piece;
					piece = piece == memory + (stages - 1) * stage_bytes ? memory : piece + stage_bytes;
					if (early && at + depth < k_end) read(f[0], piece, 0);
				}
				add(sums, f[step % (early + 1)]);
			}
		}
	}

	// spread puts the sums where the pieces were, in rows. No thread reads a piece any more: sum ends behind a barrier.
	__device__ void spread(const Sums &sums) const {
		float *rows = (float *)memory;
		int lane = threadIdx.x % 32;
#pragma unroll
		for (int i = 0; i < Tile::a_count; i++) {
#pragma unroll
			for (int j = 0; j < 2 * Tile::b_count; j++) {
				int m = warp_m() + 16 * i + lane / 4, n = warp_n() + 8 * j + lane % 4 * 2;
				*(float2 *)(rows + Tile::at(m, n)) = make_float2(sums[i][j][0], sums[i][j][1]);
				*(float2 *)(rows + Tile::at(m + 8, n)) = make_float2(sums[i][j][2], sums[i][j][3]);
			}
		}
		__syncthreads();
	}

	// each visits all sums of the tile that spread has put in rows. A thread has the same columns, size of them, of every row that
	// is its own, and takes up to most rows at once.
	template <int size, int most, typename Visit> __device__ void each(const product_args &p, Visit visit) const {
		constexpr int packs = Tile::N / size, step = Tile::threads / packs, rows = Tile::M / step, count = rows < most ? rows : most;
		static_assert(Tile::threads % packs == 0 && Tile::M % step == 0 && rows % count == 0, "rows for every thread");
		const float *from = (const float *)memory;
		int first = threadIdx.x / packs, n = threadIdx.x % packs * size;
#pragma unroll 1
		for (int m = first; m < Tile::M && a.line + m < p.M; m += count * step) {
			sums_of<count, size> s{a.line + m, step, b.line + n, {}};
#pragma unroll
			for (int r = 0; r < count; r++)
#pragma unroll
				for (int j = 0; j < size; j += 4) {
					float4 four = *(const float4 *)(from + Tile::at(m + r * step, n + j));
					s.x[r][j] = four.x, s.x[r][j + 1] = four.y, s.x[r][j + 2] = four.z, s.x[r][j + 3] = four.w;
				}
			visit(s);
		}
	}

	template <typename C> __device__ void finish(const product_args &p) const {
		bool accumulate = accumulates(p.mode, p.step);
		if (p.c_wide) each<pack<C>::size, 4>(p, [&](auto &s) { s.template finish<true, C>(p, accumulate); });
		else each<pack<C>::size, 1>(p, [&](auto &s) { s.template finish<false, C>(p, accumulate); });
	}

	// gradient stores floats that come of halves: they have no epilogue but the mode.
	__device__ void gradient(const product_args &p) const {
		bool accumulate = accumulates(p.mode, p.step);
		if (p.c_wide) each<4, 4>(p, [&](auto &s) { s.template write<true, float>(p, accumulate); });
		else each<4, 1>(p, [&](auto &s) { s.template write<false, float>(p, accumulate); });
	}

	__device__ void store(const product_args &p) const {
		if (p.partials) each<4, 4>(p, [&](auto &s) { s.keep(p); });
		else if (sizeof(Element) == 2 && p.c_float) gradient(p);
		else finish<Element>(p);
	}
};

// multiply_tile computes the block's tile of c.
template <typename Element, class Tile, bool a_transposed, bool b_transposed, bool wide>
static __device__ inline void multiply_tile(const product_args &p) {
	SHARED(unsigned char, memory);
	using Block = product_block<Element, Tile, a_transposed, b_transposed, wide>;
	int m, n, k = blockIdx.y * p.slice;
	tile_of((p.M + Tile::M - 1) / Tile::M, (p.N + Tile::N - 1) / Tile::N, &m, &n);
	Block block{memory, {(const Element *)p.a, p.a_stride, m * Tile::M, p.M}, {(const Element *)p.b, p.b_stride, n * Tile::N, p.N},
		k, min(k + p.slice, p.K)};
	typename Block::Sums sums = {};
	block.sum(sums);
	block.spread(sums);
	block.store(p);
}

// The kernels of one tile: name_nn, name_nt (b transposed) and name_tn (a transposed), with the suffix of the element.
#define TILE_TYPE(...) product_tile<__VA_ARGS__>
#define PRODUCT_KERNEL(tile, name, a_transposed, b_transposed, wide, Element)                                 \
	extern "C" __global__ void __launch_bounds__(tile(TILE_TYPE)::threads, tile(TILE_TYPE)::blocks) name(product_args p) {  \
		multiply_tile<Element, tile(TILE_TYPE), a_transposed, b_transposed, wide>(p);                            \
	}                                                                                                          \
	KERNEL(name)
#define PRODUCT_KERNELS(tile, name, suffix, wide, Element)                                                    \
	PRODUCT_KERNEL(tile, name##_nn_##suffix, false, false, wide, Element)                                      \
	PRODUCT_KERNEL(tile, name##_nt_##suffix, false, true, wide, Element)
#define PRODUCT_GRADIENT_KERNEL(tile, name, suffix, wide, Element)                                            \
	PRODUCT_KERNEL(tile, name##_tn_##suffix, true, false, wide, Element)
