#include "values.cuh"

// What embed is given. start is the position of the first row of each sequence, or NULL for 0.
template <typename Act> struct embedding {
	Act *out;
	const int32_t *tokens;
	const float *wte, *wpe;
	const int32_t *start;
	int64_t V, P;
	int N, T, C;
	fault_record *fault;
	int call;
};

// A row of out: its token, its position in wpe, and whether both are there.
struct place {
	int64_t token, position;
	bool right;
};

template <typename Act> static __device__ inline place place_of(const embedding<Act> &k, int n, bool speaks) {
	int token = k.tokens[n], start = k.start ? *k.start : 0;
	bool known = token >= 0 && token < k.V, fits = start >= 0 && (int64_t)start + k.T <= k.P;
	if (!fits && n == 0 && speaks) report(k.fault, k.call, FAULT_START, start, (int)k.P, 0);
	if (!known && speaks) report(k.fault, k.call, FAULT_TOKEN, token, (int)k.V, n);
	return {token, (int64_t)start + n % k.T, known && fits};
}

// A warp takes a row. Rows that are wrong become 0, so that what comes after them reads numbers.
template <bool wide, typename Act> static __device__ inline void embed(const embedding<Act> &k) {
	constexpr int size = pack<Act>::size;
	int lane = threadIdx.x % 32, warps = blockDim.x / 32;
	for (int n = blockIdx.x * warps + threadIdx.x / 32; n < k.N; n += gridDim.x * warps) {
		place p = place_of(k, n, lane == 0);
		Act *out = k.out + (int64_t)n * k.C;
		if (!p.right) {
#pragma unroll 1
			for (int c = lane; c < k.C; c += 32) narrow(&out[c], 0);
			continue;
		}
		const float *token = k.wte + p.token * k.C, *position = k.wpe + p.position * k.C;
#pragma unroll (wide ? 4 : 1)
		for (int c = lane * size; c < k.C; c += 32 * size) {
			float sum[size], addend[size];
			load<wide>(sum, token, c, k.C);
			load<wide>(addend, position, c, k.C);
#pragma unroll
			for (int i = 0; i < size; i++) sum[i] += addend[i];
			store<wide>(out, c, k.C, sum);
		}
	}
}

#define EMBED(way, wide, suffix, Act)                                                                                  \
	extern "C" __global__ void __launch_bounds__(256) embed##way##_##suffix(Act *__restrict__ out,                     \
		const int32_t *__restrict__ tokens, const float *__restrict__ wte, const float *__restrict__ wpe,              \
		const int32_t *__restrict__ start, int64_t V, int64_t P, int N, int T, int C, fault_record *fault, int call) { \
		embed<wide>(embedding<Act>{out, tokens, wte, wpe, start, V, P, N, T, C, fault, call});                         \
	}                                                                                                                  \
	KERNEL(embed##way##_##suffix)

#define EMBED_BOTH(suffix, Act)                                                                               \
	EMBED(, false, suffix, Act)                                                                               \
	EMBED(_wide, true, suffix, Act)

EMBED_BOTH(f32, float)
EMBED_BOTH(bf16, __nv_bfloat16)
EMBED_BOTH(f16, __half)
