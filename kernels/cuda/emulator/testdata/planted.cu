// Kernels with a fault each, and their faultless twins: what the emulator must find, and must not. Each takes the same
// arguments: out and in with n floats each, and a word that is 0 before.
#include "../../source/tensor.cuh"

#define PLANTED(name)                                                                                         \
	extern "C" __global__ void name(float *out, const float *in, int64_t n, unsigned *word);                    \
	KERNEL(name)                                                                                                \
	extern "C" __global__ void name([[maybe_unused]] float *out, [[maybe_unused]] const float *in, [[maybe_unused]] int64_t n, \
		[[maybe_unused]] unsigned *word)

static __device__ inline int64_t number() { return (int64_t)blockIdx.x * blockDim.x + threadIdx.x; }

PLANTED(faultless) {
	SHARED(float, s);
	int i = (int)threadIdx.x;
	s[i] = in[i];
	__syncthreads();
	float x = s[i ^ 33];
	__syncthreads();
	s[i] = x;
	__syncwarp();
	out[number()] = s[i ^ 1];
}

PLANTED(beyond_end) {
	if (number() <= n) out[number()] = 1;
}

PLANTED(far_beyond_end) {
	if (number() == 5) out[n + 100000] = 1;
}

PLANTED(misaligned) {
	if (number() == 0) *(float4 *)(out + 1) = make_float4(1, 2, 3, 4);
}

PLANTED(beyond_shared) {
	SHARED(float, s);
	s[threadIdx.x + 1] = 1;
}

PLANTED(unwritten) {
	if (number() == 7) word[0] = in[n - 1] > 0;
}

PLANTED(unwritten_shared) {
	SHARED(float, s);
	if (threadIdx.x) s[threadIdx.x] = 1;
	__syncthreads();
	out[number()] = s[threadIdx.x];
}

PLANTED(no_barrier) {
	SHARED(float, s);
	s[threadIdx.x] = 0;
	__syncthreads();
	s[threadIdx.x] = in[threadIdx.x];
	out[number()] = s[threadIdx.x ^ 32];
}

// The second barrier is missing: a fast warp overwrites what a slow one still reads.
PLANTED(no_barrier_behind) {
	SHARED(float, s);
	float sum = 0;
	for (int i = 0; i < 2; i++) {
		s[threadIdx.x] = (float)i;
		__syncthreads();
		sum += s[threadIdx.x ^ 32];
	}
	out[number()] = sum;
}

PLANTED(no_warp_operation) {
	SHARED(float, s);
	s[threadIdx.x] = 0;
	__syncthreads();
	s[threadIdx.x] = in[threadIdx.x];
	if (threadIdx.x < 32) __syncwarp();
	out[number()] = s[threadIdx.x ^ 1];
}

PLANTED(half_barrier) {
	if (threadIdx.x < 32) __syncthreads();
	out[number()] = 1;
}

PLANTED(two_barriers) {
	if (threadIdx.x < 32) {
		__syncthreads();
		out[number()] = 1;
	} else {
		__syncthreads();
		out[number()] = 2;
	}
}

PLANTED(half_warp) {
	float x = 1;
	if (threadIdx.x % 32 < 16) x += __shfl_xor_sync(0xffffffff, x, 1);
	out[number()] = x;
}

PLANTED(copied) {
	SHARED(float, s);
	copy_async(s + 4 * threadIdx.x, in + 4 * (threadIdx.x % 32), 16);
	copy_async_commit();
	copy_async_wait<0>();
	__syncthreads();
	out[number()] = s[4 * (threadIdx.x ^ 32)];
}

PLANTED(no_copy_wait) {
	SHARED(float, s);
	copy_async(s + 4 * threadIdx.x, in + 4 * (threadIdx.x % 32), 16);
	copy_async_commit();
	copy_async(s + 4 * (threadIdx.x + blockDim.x), in + 4 * (threadIdx.x % 32), 16);
	copy_async_commit();
	copy_async_wait<1>();
	__syncthreads();
	out[number()] = s[4 * (threadIdx.x + blockDim.x)];
}

PLANTED(no_copy_barrier) {
	SHARED(float, s);
	copy_async(s + 4 * threadIdx.x, in + 4 * (threadIdx.x % 32), 16);
	copy_async_commit();
	copy_async_wait<0>();
	out[number()] = s[4 * (threadIdx.x ^ 32)];
}

PLANTED(blocks_write) {
	out[threadIdx.x] = (float)blockIdx.x;
}

PLANTED(blocks_read) {
	out[number()] = 1;
	if (number() > 64) out[number()] += out[5];
}

// The last of the blocks adds up what they left.
static __device__ inline void last_block(float *out, unsigned *word, bool fenced) {
	SHARED(unsigned, order);
	out[number()] = (float)threadIdx.x;
	__syncthreads();
	if (threadIdx.x == 0) {
		if (fenced) __threadfence();
		order[0] = atomicAdd(word, 1u);
	}
	__syncthreads();
	if (order[0] + 1 < gridDim.x || threadIdx.x) return;
	float sum = 0;
	for (unsigned i = 0; i < gridDim.x * blockDim.x; i++) sum += out[i];
	out[0] = sum;
}

PLANTED(last_block_adds) { last_block(out, word, true); }

PLANTED(no_fence) { last_block(out, word, false); }

PLANTED(counted) {
	atomicAdd(word, 1u);
	atomicMax((int *)out, 3);
}

PLANTED(atomic_and_plain) {
	atomicAdd(word, 1u);
	if (number() == 40) *word = 0;
}

PLANTED(fill) {
	if (number() < n) out[number()] = 3;
}

PLANTED(twice) {
	if (number() < n) out[number()] = 2 * in[number()];
}

PLANTED(stack_of_another) {
	SHARED(float *, s);
	float mine = 1;
	s[threadIdx.x] = &mine;
	__syncthreads();
	*s[threadIdx.x ^ 1] = 2;
	__syncthreads();
	out[number()] = mine;
}
