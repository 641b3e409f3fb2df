#include "reduce.cuh"
#include "values.cuh"

// What layernorm is given: rows of C activations, and room for the statistics of each or NULL.
template <typename Act> struct layer_norm {
	Act *out;
	float *mean, *rstd;
	const Act *x;
	const float *g, *b;
	int64_t N;
	int C;
	float epsilon;
};

// finish writes the values of row n from column at on.
template <bool wide, int size, typename Act>
static __device__ inline void finish(const layer_norm<Act> &k, int64_t n, int at, float (&centred)[size], float rstd) {
	float g[size], b[size];
	load<wide>(g, k.g, at, k.C);
	load<wide>(b, k.b, at, k.C);
#pragma unroll
	for (int i = 0; i < size; i++) centred[i] = fmaf(centred[i] * rstd, g[i], b[i]);
	store<wide>(k.out + n * k.C, at, k.C, centred);
}

template <typename Act>
static __device__ inline void put_statistics(const layer_norm<Act> &k, int64_t n, float mean, float rstd) {
	if (k.mean) k.mean[n] = mean;
	if (k.rstd) k.rstd[n] = rstd;
}

// A warp takes a row, which its registers hold: up to `values` in a thread. So memory is read once, and the variance is taken
// around the mean, where the mean of squares less the square of the mean would have no digits left.
template <int values, bool wide, typename Act> static __device__ inline void layernorm_warp(const layer_norm<Act> &k) {
	constexpr int size = pack<Act>::size, packs = values / size;
	int lane = threadIdx.x % 32, warps = blockDim.x / 32;
	for (int64_t n = (int64_t)blockIdx.x * warps + threadIdx.x / 32; n < k.N; n += (int64_t)gridDim.x * warps) {
		float x[packs][size], sum = 0, squares = 0;
#pragma unroll
		for (int j = 0; j < packs; j++) load<wide>(x[j], k.x + n * k.C, (j * 32 + lane) * size, k.C);
#pragma unroll
		for (int j = 0; j < packs; j++)
#pragma unroll
			for (int i = 0; i < size; i++) sum += x[j][i];
		float mean = warp_sum(sum) / k.C;
#pragma unroll
		for (int j = 0; j < packs; j++)
#pragma unroll
			for (int i = 0; i < size; i++) {
				x[j][i] = inside<wide>((j * 32 + lane) * size, i, k.C) ? x[j][i] - mean : 0;
				squares = fmaf(x[j][i], x[j][i], squares);
			}
		float rstd = 1 / sqrtf(warp_sum(squares) / k.C + k.epsilon);
#pragma unroll
		for (int j = 0; j < packs; j++) finish<wide>(k, n, (j * 32 + lane) * size, x[j], rstd);
		if (lane == 0) put_statistics(k, n, mean, rstd);
	}
}

// A block takes a row that is too wide for a warp and reads it three times; it stays in the cache between.
template <bool wide, typename Act> static __device__ inline void layernorm_block(const layer_norm<Act> &k, float *room) {
	constexpr int size = pack<Act>::size;
	for (int64_t n = blockIdx.x; n < k.N; n += gridDim.x) {
		float x[size], sum = 0, squares = 0;
		for (int at = threadIdx.x * size; at < k.C; at += blockDim.x * size) {
			load<wide>(x, k.x + n * k.C, at, k.C);
			for (int i = 0; i < size; i++) sum += x[i];
		}
		float mean = block_sum(sum, room) / k.C;
		for (int at = threadIdx.x * size; at < k.C; at += blockDim.x * size) {
			load<wide>(x, k.x + n * k.C, at, k.C);
			for (int i = 0; i < size; i++)
				if (inside<wide>(at, i, k.C)) squares = fmaf(x[i] - mean, x[i] - mean, squares);
		}
		float rstd = 1 / sqrtf(block_sum(squares, room) / k.C + k.epsilon);
		for (int at = threadIdx.x * size; at < k.C; at += blockDim.x * size) {
			load<wide>(x, k.x + n * k.C, at, k.C);
			for (int i = 0; i < size; i++) x[i] -= mean;
			finish<wide>(k, n, at, x, rstd);
		}
		if (threadIdx.x == 0) put_statistics(k, n, mean, rstd);
	}
}

// blocks of 256 threads are on a processor at once.
#define LAYERNORM(name, body, blocks, suffix, Act)                                                                  \
	extern "C" __global__ void __launch_bounds__(256, blocks) name##_##suffix(Act *__restrict__ out,                \
		float *__restrict__ mean, float *__restrict__ rstd, const Act *__restrict__ x, const float *__restrict__ g, \
		const float *__restrict__ b, int64_t N, int C, float epsilon) {                                             \
		layer_norm<Act> k = {out, mean, rstd, x, g, b, N, C, epsilon};                                              \
		body;                                                                                                       \
	}                                                                                                               \
	KERNEL(name##_##suffix)

#define LAYERNORM_WARP(values, suffix, Act)                                                                   \
	LAYERNORM(layernorm_##values, (layernorm_warp<values, false>(k)), 1, suffix, Act)                         \
	LAYERNORM(layernorm_##values##_wide, (layernorm_warp<values, true>(k)), 1, suffix, Act)

#define LAYERNORM_ALL(suffix, Act)                                                                            \
	LAYERNORM_WARP(8, suffix, Act)                                                                            \
	LAYERNORM_WARP(24, suffix, Act)                                                                           \
	LAYERNORM_WARP(32, suffix, Act)                                                                           \
	LAYERNORM_WARP(64, suffix, Act)                                                                           \
	LAYERNORM(layernorm_block, SHARED(float, room); layernorm_block<false>(k, room), 4, suffix, Act)          \
	LAYERNORM(layernorm_block_wide, SHARED(float, room); layernorm_block<true>(k, room), 4, suffix, Act)

LAYERNORM_ALL(f32, float)
LAYERNORM_ALL(bf16, __nv_bfloat16)
LAYERNORM_ALL(f16, __half)
