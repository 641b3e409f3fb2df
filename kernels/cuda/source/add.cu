#include "act.cuh"

// out = a + b over n values; wide: all three lie at multiples of 16 bytes. out may be a or b.
template <typename Act>
static __device__ void add(Act *out, const Act *a, const Act *b, int64_t n, int wide) {
	using Pack = pack<Act>;
	int64_t first = (int64_t)blockIdx.x * blockDim.x + threadIdx.x, step = (int64_t)gridDim.x * blockDim.x;
	int64_t packs = wide ? n / Pack::size : 0;
	for (int64_t i = first; i < packs; i += step) {
		Pack x = ((const Pack *)a)[i], y = ((const Pack *)b)[i], sum;
		for (int j = 0; j < Pack::size; j++) narrow(&sum.at[j], widen(x.at[j]) + widen(y.at[j]));
		((Pack *)out)[i] = sum;
	}
	for (int64_t i = packs * Pack::size + first; i < n; i += step) narrow(&out[i], widen(a[i]) + widen(b[i]));
}

#define ADD(suffix, Act)                                                                                      \
	extern "C" __global__ void add_##suffix(Act *out, const Act *a, const Act *b, int64_t n, int wide) {       \
		add(out, a, b, n, wide);                                                                               \
	}                                                                                                          \
	KERNEL(add_##suffix)

ADD(f32, float)
ADD(bf16, __nv_bfloat16)
ADD(f16, __half)
