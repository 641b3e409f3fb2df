#include "values.cuh"

// last_row is the row of sequence b that is its last, -1 where it has none or its length is wrong, which one thread reports.
static __device__ inline int last_row(const int32_t *lengths, int b, int T, bool speaks, fault_record *fault, int call) {
	int length = lengths[b];
	if (length >= 0 && length <= T) return length - 1;
	if (speaks) report(fault, call, FAULT_LENGTH, length, T, b);
	return -1;
}

// out[b] = x[b, lengths[b]-1] for x [B,T,C], or 0 where there is no such row. A block takes a sequence.
template <bool wide, typename Act>
static __device__ inline void pool(float *out, const Act *x, const int32_t *lengths, int T, int C, fault_record *fault,
	int call) {
	constexpr int size = pack<Act>::size;
	int b = blockIdx.x, last = last_row(lengths, b, T, threadIdx.x == 0, fault, call);
	const Act *row = x + ((int64_t)b * T + max(last, 0)) * C;
	for (int c = threadIdx.x * size; c < C; c += blockDim.x * size) {
		float values[size];
		load<wide>(values, row, c, last < 0 ? 0 : C);
		store<wide>(out + (int64_t)b * C, c, C, values);
	}
}

// dx [B,T,C] is dout in the rows that pool read and 0 in all others. A warp takes a row.
template <bool wide, typename Act>
static __device__ inline void pool_backward(Act *dx, const float *dout, const int32_t *lengths, int N, int T, int C,
	fault_record *fault, int call) {
	constexpr int size = pack<Act>::size;
	int lane = threadIdx.x % 32, warps = blockDim.x / 32;
	for (int n = blockIdx.x * warps + threadIdx.x / 32; n < N; n += gridDim.x * warps) {
		int b = n / T, t = n % T, last = last_row(lengths, b, T, lane == 0 && t == 0, fault, call);
		for (int c = lane * size; c < C; c += 32 * size) {
			float values[size];
			load<wide>(values, dout + (int64_t)b * C, c, t == last ? C : 0);
			store<wide>(dx + (int64_t)n * C, c, C, values);
		}
	}
}

#define POOL(suffix, Act)                                                                                     \
	extern "C" __global__ void pool_##suffix(float *__restrict__ out, const Act *__restrict__ x,              \
		const int32_t *__restrict__ lengths, int T, int C, fault_record *fault, int call, int wide) {         \
		if (wide) pool<true>(out, x, lengths, T, C, fault, call);                                             \
		else pool<false>(out, x, lengths, T, C, fault, call);                                                 \
	}                                                                                                         \
	KERNEL(pool_##suffix)                                                                                     \
	extern "C" __global__ void pool_backward_##suffix(Act *__restrict__ dx, const float *__restrict__ dout,   \
		const int32_t *__restrict__ lengths, int N, int T, int C, fault_record *fault, int call, int wide) {  \
		if (wide) pool_backward<true>(dx, dout, lengths, N, T, C, fault, call);                               \
		else pool_backward<false>(dx, dout, lengths, N, T, C, fault, call);                                   \
	}                                                                                                         \
	KERNEL(pool_backward_##suffix)

POOL(f32, float)
POOL(bf16, __nv_bfloat16)
POOL(f16, __half)
