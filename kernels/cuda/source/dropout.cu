#include "act.cuh"
#include "philox.cuh"

// y = x*mask/(1-p) + res over n values; res may be NULL, and y may be x or res. wide: all of them lie at multiples of 16 bytes.
template <typename Act>
static __device__ void dropout(Act *y, const Act *x, const Act *res, const philox &random, int64_t n, int wide) {
	using Pack = pack<Act>;
	int64_t first = (int64_t)blockIdx.x * blockDim.x + threadIdx.x, step = (int64_t)gridDim.x * blockDim.x;
	int64_t packs = wide ? n / Pack::size : 0;
	for (int64_t i = first; i < packs; i += step) {
		Pack in = ((const Pack *)x)[i], rest = {}, out;
		if (res) rest = ((const Pack *)res)[i];
#pragma unroll
		for (int j = 0; j < Pack::size; j += 4) {
			philox_block block = philox_words(random, (i * Pack::size + j) / 4);
#pragma unroll
			for (int k = 0; k < 4; k++)
				narrow(&out.at[j + k], fmaf(widen(in.at[j + k]), philox_factor(random, block.word[k]), widen(rest.at[j + k])));
		}
		((Pack *)y)[i] = out;
	}
	for (int64_t i = packs * Pack::size + first; i < n; i += step)
		narrow(&y[i], fmaf(widen(x[i]), philox_element(random, i), res ? widen(res[i]) : 0.0f));
}

#define DROPOUT(suffix, Act)                                                                                          \
	extern "C" __global__ void dropout_##suffix(Act *y, const Act *x, const Act *res, const int32_t *seed, int64_t n, \
		uint32_t salt, float p, int wide) {                                                                           \
		dropout(y, x, res, philox_of(seed, salt, p), n, wide);                                                        \
	}                                                                                                                 \
	KERNEL(dropout_##suffix)

DROPOUT(f32, float)
DROPOUT(bf16, __nv_bfloat16)
DROPOUT(f16, __half)
