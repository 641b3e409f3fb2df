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

// finish puts the sums of row from column on through the epilogue and stores them, as far as the row goes.
template <bool wide, typename C, int size>
static __device__ inline void finish(const product_args &p, bool accumulate, int row, int column, float (&x)[size]) {
	int64_t at = row * p.c_stride;
	float other[size];
	if (p.bias) {
		load<wide>(other, p.bias, column, p.N);
#pragma unroll
		for (int i = 0; i < size; i++) x[i] += other[i];
	}
	if (p.pre) store<wide>((C *)p.pre + at, column, p.N, x);
	if (p.gelu) {
#pragma unroll
		for (int i = 0; i < size; i++) x[i] = gelu(rounded<C>(x[i])); // as backward sees it
	}
	if (p.derivative_of) {
		load<wide>(other, (const C *)p.derivative_of + at, column, p.N);
#pragma unroll
		for (int i = 0; i < size; i++) x[i] *= gelu_derivative(other[i]);
	}
	if (p.add) {
		load<wide>(other, (const C *)p.add + at, column, p.N);
#pragma unroll
		for (int i = 0; i < size; i++) x[i] += other[i];
	}
	if (accumulate) {
		load<wide>(other, (const C *)p.c + at, column, p.N);
#pragma unroll
		for (int i = 0; i < size; i++) x[i] += other[i];
	}
	store<wide>((C *)p.c + at, column, p.N, x);
}

// put_partial stores 4 sums of a slice as they are.
static __device__ inline void put_partial(const product_args &p, int row, int column, const float (&x)[4]) {
	if (column >= p.partial_stride) return;
	float *place = p.partials + ((int64_t)blockIdx.y * p.M + row) * p.partial_stride + column;
	*(float4 *)place = make_float4(x[0], x[1], x[2], x[3]);
}

// tile_of finds the block's tile: the row of tiles in m, the column in n. Blocks that run at the same time have tiles close to
// each other, at most 8 below each other, so that they find each other's pieces of a and b in the cache.
static __device__ inline void tile_of(int tiles_m, int tiles_n, int *m, int *n) {
	constexpr unsigned high = 8;
	unsigned band = blockIdx.x / (high * tiles_n), within = blockIdx.x % (high * tiles_n);
	unsigned rows = min(tiles_m - band * high, high);
	*m = band * high + within % rows;
	*n = within / rows;
}
