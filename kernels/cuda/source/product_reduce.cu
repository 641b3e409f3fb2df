#include "product_epilogue.cuh"

// c = epilogue(the sum of the slices' partials, in their order). A thread takes as many neighbours as 16 bytes of c hold.
template <typename C> static __device__ inline void reduce(const product_args &p) {
	constexpr int size = pack<C>::size;
	int packs = (p.N + size - 1) / size;
	int64_t first = (int64_t)blockIdx.x * blockDim.x + threadIdx.x, step = (int64_t)gridDim.x * blockDim.x;
	bool accumulate = accumulates(p.mode, p.step);
	for (int64_t i = first; i < (int64_t)p.M * packs; i += step) {
		int m = (int)(i / packs), n = (int)(i % packs) * size;
		const float *from = p.partials + m * p.partial_stride;
		sums_of<1, size> s{m, 1, n, {}};
		float part[size];
		load<true>(s.x[0], from, n, (int)p.partial_stride);
#pragma unroll 4
		for (int slice = 1; slice < p.slices; slice++) {
			load<true>(part, from + slice * p.M * p.partial_stride, n, (int)p.partial_stride);
#pragma unroll
			for (int j = 0; j < size; j++) s.x[0][j] += part[j];
		}
		if (p.c_wide) s.template finish<true, C>(p, accumulate);
		else s.template finish<false, C>(p, accumulate);
	}
}

#define REDUCE(suffix, C)                                                                                     \
	extern "C" __global__ void product_reduce_##suffix(product_args p) { reduce<C>(p); }                       \
	KERNEL(product_reduce_##suffix)

REDUCE(f32, float)
REDUCE(bf16, __nv_bfloat16)
REDUCE(f16, __half)
