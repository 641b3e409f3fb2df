#include "reduce.cuh"
#include "values.cuh"

static constexpr int THREADS = 256, PIECE = 64 * THREADS; // gradients of a block

// A thread's share of the squares of count gradients, in double: a float's square would overflow from 1.8e19 on, and far earlier
// lose small ones. Both ways sum in the same order.
template <bool wide> static __device__ inline double squares(const float *grads, int count) {
	double even = 0, odd = 0;
#pragma unroll 4
	for (int k = 0; k < PIECE / THREADS; k += 4) {
		float x[4];
		load<wide>(x, grads, k * THREADS + threadIdx.x * 4, count);
		even += (double)x[0] * (double)x[0] + (double)x[2] * (double)x[2];
		odd += (double)x[1] * (double)x[1] + (double)x[3] * (double)x[3];
	}
	return even + odd;
}

// A block sums a piece. The order of the sum depends on n alone. wide: grads lies at a multiple of 16 bytes.
extern "C" __global__ void __launch_bounds__(THREADS) grad_norm_pieces(double *sums, const float *__restrict__ grads, int64_t n,
	int wide) {
	SHARED(double, room);
	int64_t first = (int64_t)blockIdx.x * PIECE;
	int count = (int)min((int64_t)PIECE, n - first);
	double sum = wide && count == PIECE ? squares<true>(grads + first, PIECE) : squares<false>(grads + first, count);
	sum = block_sum(sum, room);
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
