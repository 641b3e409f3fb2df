#include "column_sum.h"
#include "mode.cuh"
#include "values.cuh"

// parts[slice, O] = sums over the slice's rows of x [N, O]: block (i, slice) has SUM_ACROSS packs of columns and rows rows. A thread
// adds every SUM_DOWN-th row up; then the threads of a column are added in order. wide: x is read 16 bytes at a time.
template <bool wide, typename Act>
static __device__ inline void sum_rows(float *parts, const Act *x, int64_t N, int O, int rows) {
	constexpr int size = pack<Act>::size;
	SHARED(float, sums);
	int across = threadIdx.x % SUM_ACROSS, down = threadIdx.x / SUM_ACROSS;
	int column = (blockIdx.x * SUM_ACROSS + across) * size;
	int64_t first = (int64_t)blockIdx.y * rows, end = min(first + rows, N);
	float sum[size] = {};
#pragma unroll 4
	for (int64_t n = first + down; n < end; n += SUM_DOWN) {
		float v[size];
		load<wide>(v, x + n * O, column, O);
#pragma unroll
		for (int i = 0; i < size; i++) sum[i] += v[i];
	}
#pragma unroll
	for (int i = 0; i < size; i++) sums[(down * size + i) * SUM_ACROSS + across] = sum[i];
	__syncthreads();
	for (int i = threadIdx.x; i < SUM_ACROSS * size; i += SUM_ACROSS * SUM_DOWN) {
		int o = (blockIdx.x * SUM_ACROSS + i % SUM_ACROSS) * size + i / SUM_ACROSS;
		float total = 0;
		for (int d = 0; d < SUM_DOWN; d++) total += sums[d * size * SUM_ACROSS + i];
		if (o < O) parts[(int64_t)blockIdx.y * O + o] = total;
	}
}

#define COLUMN_SUM(suffix, Act)                                                                               \
	extern "C" __global__ void column_sum_##suffix(float *parts, const Act *x, int64_t N, int O, int rows, int wide) { \
		if (wide) sum_rows<true>(parts, x, N, O, rows);                                                          \
		else sum_rows<false>(parts, x, N, O, rows);                                                              \
	}                                                                                                          \
	KERNEL(column_sum_##suffix)

COLUMN_SUM(f32, float)
COLUMN_SUM(bf16, __nv_bfloat16)
COLUMN_SUM(f16, __half)

// out = the sum of the slices' parts in their order, stored or added as mode says.
extern "C" __global__ void column_sum_finish(float *out, const float *parts, int O, int slices, int mode, const float *step) {
	int o = blockIdx.x * blockDim.x + threadIdx.x;
	if (o >= O) return;
	float total = 0;
#pragma unroll 8
	for (int slice = 0; slice < slices; slice++) total += parts[(int64_t)slice * O + o];
	out[o] = accumulates(mode, step) ? out[o] + total : total;
}
KERNEL(column_sum_finish)
