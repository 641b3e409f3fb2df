// What happens to the sums of a product before they are stored.
#pragma once

#include "gelu.cuh"
#include "mode.cuh"
#include "product_args.h"
#include "values.cuh"

// rounded is x as C holds it.
template <typename C> static __device__ inline float rounded(float x) {
	C c;
	narrow(&c, x);
	return widen(c);
}

// Several rows of sums: count rows, step from one to the next, each with size neighbours from column on. What is read for them is
// under way at once.
template <int count, int size> struct sums_of {
	int row, step, column;
	float x[count][size];

	// inside is how long row r of them is: 0 behind the last row of c.
	__device__ int inside(const product_args &p, int r) const { return row + r * step < p.M ? p.N : 0; }
	__device__ int64_t at(const product_args &p, int r) const { return (row + r * step) * p.c_stride; }

	// with combines each sum with its value of a matrix that lies like c.
	template <bool wide, typename C, typename Combine>
	__device__ void with(const product_args &p, const void *matrix, Combine combine) {
		float other[count][size];
#pragma unroll
		for (int r = 0; r < count; r++) load<wide>(other[r], (const C *)matrix + at(p, r), column, inside(p, r));
#pragma unroll
		for (int r = 0; r < count; r++)
#pragma unroll
			for (int i = 0; i < size; i++) x[r][i] = combine(x[r][i], other[r][i]);
	}

	template <bool wide, typename C> __device__ void put(const product_args &p, void *matrix) const {
#pragma unroll
		for (int r = 0; r < count; r++) store<wide>((C *)matrix + at(p, r), column, inside(p, r), x[r]);
	}

	template <bool wide> __device__ void add_bias(const product_args &p) {
		float bias[size];
		load<wide>(bias, p.bias, column, p.N);
#pragma unroll
		for (int r = 0; r < count; r++)
#pragma unroll
			for (int i = 0; i < size; i++) x[r][i] += bias[i];
	}

	// finish puts the sums through the epilogue and stores them, as far as c goes.
	template <bool wide, typename C> __device__ void finish(const product_args &p, bool accumulate) {
		if (p.bias) add_bias<wide>(p);
		if (p.pre) put<wide, C>(p, p.pre);
		if (p.gelu) {
#pragma unroll
			for (int r = 0; r < count; r++)
#pragma unroll
				for (int i = 0; i < size; i++) x[r][i] = gelu(rounded<C>(x[r][i])); // as backward sees it
		}
		if (p.derivative_of) with<wide, C>(p, p.derivative_of, [](float x, float pre) { return x * gelu_derivative(pre); });
		if (p.add) with<wide, C>(p, p.add, [](float x, float y) { return x + y; });
		write<wide, C>(p, accumulate);
	}

	// write stores the sums, or adds them to what is there.
	template <bool wide, typename C> __device__ void write(const product_args &p, bool accumulate) {
		if (accumulate) with<wide, C>(p, p.c, [](float x, float y) { return x + y; });
		put<wide, C>(p, p.c);
	}

	// keep stores what a slice sums up as it is.
	__device__ void keep(const product_args &p) const {
		if (column >= p.partial_stride) return;
#pragma unroll
		for (int r = 0; r < count; r++) {
			float *place = p.partials + ((int64_t)blockIdx.y * p.M + row + r * step) * p.partial_stride + column;
			if (inside(p, r)) store<true>(place, 0, size, x[r]);
		}
	}
};

// tile_of finds the block's tile: the row of tiles in m, the column in n. Blocks that run at the same time have tiles close to
// each other, at most 8 below each other, so that they find each other's pieces of a and b in the cache.
static __device__ inline void tile_of(int tiles_m, int tiles_n, int *m, int *n) {
	constexpr unsigned high = 8;
	unsigned band = blockIdx.x / (high * tiles_n), within = blockIdx.x % (high * tiles_n);
	unsigned rows = min(tiles_m - band * high, high);
	*m = band * high + within % rows;
	*n = within / rows;
}
