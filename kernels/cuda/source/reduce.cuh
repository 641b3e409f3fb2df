// Sums and maxima over the threads of a warp or a block, always in the same order. Every thread gets the result.
#pragma once

#include "device.cuh"

static constexpr unsigned ALL_LANES = 0xffffffff;

template <typename T> static __device__ inline T warp_sum(T x) {
#pragma unroll
	for (int step = 16; step > 0; step /= 2) x += __shfl_xor_sync(ALL_LANES, x, step);
	return x;
}

static __device__ inline float warp_max(float x) {
#pragma unroll
	for (int step = 16; step > 0; step /= 2) x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, step));
	return x;
}

// room holds 32 values in shared memory, which are free again when the sum is there.
template <typename T> static __device__ inline T block_sum(T x, T *room) {
	int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
	x = warp_sum(x);
	if (lane == 0) room[warp] = x;
	__syncthreads();
	x = warp_sum(lane < warps ? room[lane] : T(0));
	__syncthreads();
	return x;
}

static __device__ inline float block_max(float x, float *room) {
	int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
	x = warp_max(x);
	if (lane == 0) room[warp] = x;
	__syncthreads();
	x = warp_max(room[lane < warps ? lane : 0]);
	__syncthreads();
	return x;
}
