#include "values.cuh"

// to = from, rounded; both have rows of columns elements, to's with zeroes behind them up to the next multiple of 8. to's rows
// begin at multiples of 16 bytes; wide: from's do too, and columns is a multiple of 8.
template <typename Half>
static __device__ inline void cast(Half *to, const float *from, int64_t rows, int columns, int64_t to_stride, int64_t from_stride,
	int wide) {
	constexpr int size = pack<Half>::size;
	int packs = (columns + size - 1) / size;
	int64_t first = (int64_t)blockIdx.x * blockDim.x + threadIdx.x, step = (int64_t)gridDim.x * blockDim.x;
	for (int64_t i = first; i < rows * packs; i += step) {
		int64_t row = i / packs;
		int column = (int)(i % packs) * size;
		float x[size];
		if (wide) load<true>(x, from + row * from_stride, column, columns);
		else load<false>(x, from + row * from_stride, column, columns);
		store<true>(to + row * to_stride, column, packs * size, x);
	}
}

#define CAST(suffix, Half)                                                                                    \
	extern "C" __global__ void cast_##suffix(Half *to, const float *from, int64_t rows, int columns, int64_t to_stride, \
		int64_t from_stride, int wide) {                                                                         \
		cast(to, from, rows, columns, to_stride, from_stride, wide);                                             \
	}                                                                                                          \
	KERNEL(cast_##suffix)

CAST(bf16, __nv_bfloat16)
CAST(f16, __half)
