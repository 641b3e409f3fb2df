#include "act.cuh"

// out = in rounded to a half type, over n values; wide: both lie at multiples of 16 bytes.
template <typename Half>
static __device__ void cast(Half *out, const float *in, int64_t n, int wide) {
	int64_t first = (int64_t)blockIdx.x * blockDim.x + threadIdx.x, step = (int64_t)gridDim.x * blockDim.x;
	int64_t packs = wide ? n / 8 : 0;
	for (int64_t i = first; i < packs; i += step) {
		pack<float> x[2] = {((const pack<float> *)in)[2 * i], ((const pack<float> *)in)[2 * i + 1]};
		pack<Half> y;
#pragma unroll
		for (int j = 0; j < 8; j++) narrow(&y.at[j], x[j / 4].at[j % 4]);
		((pack<Half> *)out)[i] = y;
	}
	for (int64_t i = packs * 8 + first; i < n; i += step) narrow(&out[i], in[i]);
}

#define CAST(suffix, Half)                                                                                    \
	extern "C" __global__ void cast_f32_##suffix(Half *out, const float *in, int64_t n, int wide) { cast(out, in, n, wide); } \
	KERNEL(cast_f32_##suffix)

CAST(bf16, __nv_bfloat16)
CAST(f16, __half)
