#include "act.cuh"
#include "reduce.cuh"

// A block sums the squares of its piece of the gradients, in double: a float's square would overflow from 1.8e19 on, and far
// earlier lose small ones. The order of the sum depends on n alone. wide: grads lies at a multiple of 16 bytes.
static constexpr int PER_THREAD = 64;

extern "C" __global__ void __launch_bounds__(256) grad_norm_pieces(double *sums, const float *__restrict__ grads, int64_t n, int wide) {
	SHARED(double, room);
	using Pack = pack<float>;
	double even = 0, odd = 0;
	int64_t first = ((int64_t)blockIdx.x * PER_THREAD * blockDim.x) + threadIdx.x * Pack::size;
#pragma unroll 4
	for (int k = 0; k < PER_THREAD; k += Pack::size) {
		int64_t i = first + (int64_t)k * blockDim.x;
		Pack x = {};
		if (wide && i + Pack::size <= n) x = *(const Pack *)(grads + i);
		else
			for (int j = 0; j < Pack::size && i + j < n; j++) x.at[j] = grads[i + j];
		for (int j = 0; j < Pack::size; j += 2) {
			even += (double)x.at[j] * (double)x.at[j];
			odd += (double)x.at[j + 1] * (double)x.at[j + 1];
		}
	}
	double sum = block_sum(even + odd, room);
	if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}
KERNEL(grad_norm_pieces)

// norm = the root of all sums together, by one block.
extern "C" __global__ void __launch_bounds__(1024) grad_norm_root(float *norm, const double *sums, int64_t count) {
	SHARED(double, room);
	double sum = 0;
	for (int64_t i = threadIdx.x; i < count; i += blockDim.x) sum += sums[i];
	sum = block_sum(sum, room);
	if (threadIdx.x == 0) *norm = (float)sqrt(sum);
}
KERNEL(grad_norm_root)
