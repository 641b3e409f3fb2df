#include "act.cuh"
#include "gelu.cuh"

// out = gelu(pre) over n values; wide: both lie at multiples of 16 bytes. out may be pre. The bits are those of a product with
// GELU as its epilogue.
template <typename Act> static __device__ void gelu_forward(Act *out, const Act *pre, int64_t n, int wide) {
	using Pack = pack<Act>;
	int64_t first = (int64_t)blockIdx.x * blockDim.x + threadIdx.x, step = (int64_t)gridDim.x * blockDim.x;
	int64_t packs = wide ? n / Pack::size : 0;
	for (int64_t i = first; i < packs; i += step) {
		Pack x = ((const Pack *)pre)[i], y;
#pragma unroll
		for (int j = 0; j < Pack::size; j++) narrow(&y.at[j], gelu(widen(x.at[j])));
		((Pack *)out)[i] = y;
	}
	for (int64_t i = packs * Pack::size + first; i < n; i += step) narrow(&out[i], gelu(widen(pre[i])));
}

// dpre = dy * gelu'(pre) over n values; wide: all three lie at multiples of 16 bytes. dpre may be dy or pre.
template <typename Act>
static __device__ void gelu_backward(Act *dpre, const Act *dy, const Act *pre, int64_t n, int wide) {
	using Pack = pack<Act>;
	int64_t first = (int64_t)blockIdx.x * blockDim.x + threadIdx.x, step = (int64_t)gridDim.x * blockDim.x;
	int64_t packs = wide ? n / Pack::size : 0;
	for (int64_t i = first; i < packs; i += step) {
		Pack d = ((const Pack *)dy)[i], x = ((const Pack *)pre)[i], product;
#pragma unroll
		for (int j = 0; j < Pack::size; j++) narrow(&product.at[j], widen(d.at[j]) * gelu_derivative(widen(x.at[j])));
		((Pack *)dpre)[i] = product;
	}
	for (int64_t i = packs * Pack::size + first; i < n; i += step)
		narrow(&dpre[i], widen(dy[i]) * gelu_derivative(widen(pre[i])));
}

#define GELU(suffix, Act)                                                                                                        \
	extern "C" __global__ void gelu_##suffix(Act *out, const Act *pre, int64_t n, int wide) { gelu_forward(out, pre, n, wide); } \
	KERNEL(gelu_##suffix)                                                                                                        \
	extern "C" __global__ void gelu_backward_##suffix(Act *dpre, const Act *dy, const Act *pre, int64_t n, int wide) {           \
		gelu_backward(dpre, dy, pre, n, wide);                                                                                   \
	}                                                                                                                            \
	KERNEL(gelu_backward_##suffix)

GELU(f32, float)
GELU(bf16, __nv_bfloat16)
GELU(f16, __half)
