#include "token_order.cuh"

static __device__ inline uint64_t key_of(const int32_t *tokens, int64_t V, int row, fault_record *fault, int call) {
	int token = tokens[row];
	if (token >= 0 && token < V) return token_key(token, row);
	report(fault, call, FAULT_TOKEN, token, (int)V, row);
	return token_key(NO_TOKEN, row);
}

// A block makes the keys of 2*blockDim.x rows, a power of two, and sorts them in a bitonic network.
extern "C" __global__ void __launch_bounds__(512) token_order_tiles(uint64_t *keys, const int32_t *tokens, int N, int64_t V,
	fault_record *fault, int call) {
	SHARED(uint64_t, tile);
	int count = 2 * blockDim.x, base = blockIdx.x * count;
	for (int i = threadIdx.x; i < count; i += blockDim.x)
		tile[i] = base + i < N ? key_of(tokens, V, base + i, fault, call) : ~(uint64_t)0;
	for (int size = 2; size <= count; size *= 2)
		for (int step = size / 2; step > 0; step /= 2) {
			__syncthreads();
			int i = 2 * threadIdx.x - (threadIdx.x & (step - 1)), j = i + step;
			uint64_t a = tile[i], b = tile[j];
			if ((a > b) == ((i & size) == 0)) tile[i] = b, tile[j] = a;
		}
	__syncthreads();
	for (int i = threadIdx.x; i < count && base + i < N; i += blockDim.x) keys[base + i] = tile[i];
}
KERNEL(token_order_tiles)

// Merges neighbouring runs of length sorted keys into runs of twice that: a key goes to its place in its own run plus the
// number of smaller ones in the other.
extern "C" __global__ void token_order_merge(uint64_t *out, const uint64_t *in, int N, int length) {
	int i = blockIdx.x * blockDim.x + threadIdx.x;
	if (i >= N) return;
	uint64_t key = in[i];
	int run = i / length, other = (run ^ 1) * length, low = 0, high = max(min(N - other, length), 0);
	while (low < high) {
		int middle = (low + high) / 2;
		if (in[other + middle] < key) low = middle + 1;
		else high = middle;
	}
	out[i - (run & 1) * length + low] = key;
}
KERNEL(token_order_merge)
