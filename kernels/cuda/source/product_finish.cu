#include "act.cuh"
#include "gelu.cuh"

// What of a product's epilogue is left when cublasLt stored it as x: c = gelu(x) where it is to be activated, c = x * gelu'(derivative_of)
// where that is given, then + add where that is given, over n values. wide: all lie at multiples of 16 bytes. c may be x.
template <typename Act>
static __device__ void product_finish(Act *c, const Act *x, int activated, const Act *derivative_of, const Act *add, int64_t n, int wide) {
	using Pack = pack<Act>;
	auto finished = [=](Act x, Act before, Act other) {
		float y = widen(x);
		if (activated) y = gelu(y);
		if (derivative_of) y *= gelu_derivative(widen(before));
		return add ? y + widen(other) : y;
	};
	int64_t first = (int64_t)blockIdx.x * blockDim.x + threadIdx.x, step = (int64_t)gridDim.x * blockDim.x;
	int64_t packs = wide ? n / Pack::size : 0;
	for (int64_t i = first; i < packs; i += step) {
		Pack in = ((const Pack *)x)[i], before = in, other = in, out;
		if (derivative_of) before = ((const Pack *)derivative_of)[i];
		if (add) other = ((const Pack *)add)[i];
#pragma unroll
		for (int j = 0; j < Pack::size; j++) narrow(&out.at[j], finished(in.at[j], before.at[j], other.at[j]));
		((Pack *)c)[i] = out;
	}
	for (int64_t i = packs * Pack::size + first; i < n; i += step)
		narrow(&c[i], finished(x[i], derivative_of ? derivative_of[i] : x[i], add ? add[i] : x[i]));
}

#define PRODUCT_FINISH(suffix, Act)                                                                           \
	extern "C" __global__ void product_finish_##suffix(Act *c, const Act *x, int activated, const Act *derivative_of, const Act *add, \
		int64_t n, int wide) {                                                                                  \
		product_finish(c, x, activated, derivative_of, add, n, wide);                                               \
	}                                                                                                          \
	KERNEL(product_finish_##suffix)

PRODUCT_FINISH(f32, float)
PRODUCT_FINISH(bf16, __nv_bfloat16)
PRODUCT_FINISH(f16, __half)
