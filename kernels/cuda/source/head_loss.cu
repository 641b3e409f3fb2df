#include <float.h>

#include "act.cuh"
#include "head_loss.h"
#include "mode.cuh"
#include "reduce.cuh"

static constexpr float LOG2_E = 1.4426950408889634f;

// values reads neighbouring logits from column i on; those past the end are as good as minus infinity.
template <int size> static __device__ inline void values(float (&x)[size], const float *row, int i, int V) {
	if (i + size <= V) {
#pragma unroll
		for (int j = 0; j < size; j += 4) *(pack<float> *)&x[j] = *(const pack<float> *)(row + i + j);
	} else {
#pragma unroll
		for (int j = 0; j < size; j++) x[j] = i + j < V ? row[i + j] : -FLT_MAX;
	}
}

// What a thread has seen of a row: the largest logit, and the sum of e^(logit - most).
struct softmax {
	float most, sum;

	template <int size> __device__ void add(const float (&x)[size]) {
		float before = most;
#pragma unroll
		for (int j = 0; j < size; j++) most = fmaxf(most, x[j]);
		sum *= exp2f((before - most) * LOG2_E);
#pragma unroll
		for (int j = 0; j < size; j++) sum += exp2f((x[j] - most) * LOG2_E);
	}

	// together makes it that of the whole row, for every thread.
	__device__ void together(float *room) {
		float before = most;
		most = block_max(most, room);
		sum = block_sum(sum * exp2f((before - most) * LOG2_E), room);
	}
};

// One block has one row of logits, of ld floats from one to the next, and V of them to look at:
//
//	losses = -log softmax(logits)[target], dlogits = (softmax(logits) - onehot(target)) * step[STEP_LOSS_SCALE]
//
// dlogits, where gradient asks for them, lie over the logits, halves at the front of their row, with zeroes up to columns, a
// multiple of 8. A block goes through its row in tiles of 16 bytes of dlogits a thread. It reads a row from memory once: the first
// kept tiles stay in shared memory, in the thread's own places, and the others in the second cache. first is the number of the
// first row.
template <typename Act>
static __device__ void head_loss(float *logits, int64_t ld, const int *targets, float *losses, const float *step, int V, int columns,
	int first, int kept, int gradient, fault_record *faults, int call) {
	constexpr int size = pack<Act>::size;
	SHARED(float, room);
	pack<float> *keep = (pack<float> *)(room + 32) + threadIdx.x;
	float *row = logits + blockIdx.x * ld;
	int target = targets[blockIdx.x], tile = blockDim.x * size, tiles = (columns + tile - 1) / tile, at = threadIdx.x * size;
	bool counts = target >= 0 && target < V;
	if (target >= V && threadIdx.x == 0) report(faults, call, FAULT_TARGET, target, V, first + blockIdx.x);

	softmax s = {-FLT_MAX, 0};
	float x[size], of_target = counts ? row[target] : 0;
	for (int t = 0; t < tiles && counts; t++) {
		values(x, row, at + t * tile, V);
		s.add(x);
#pragma unroll
		for (int j = 0; j < size && t < kept; j += 4) keep[(t * size + j) / 4 * blockDim.x] = *(pack<float> *)&x[j];
	}
	s.together(room);
	if (threadIdx.x == 0) losses[blockIdx.x] = counts ? logf(s.sum) + (s.most - of_target) : 0;
	if (!gradient) return;

	float scale = step[STEP_LOSS_SCALE], factor = counts ? scale / s.sum : 0;
	for (int t = 0; t < tiles; t++) {
		int i = at + t * tile;
		if (!counts) values(x, row, 0, 0);
		else if (t >= kept) values(x, row, i, V);
#pragma unroll
		for (int j = 0; j < size && counts && t < kept; j += 4) *(pack<float> *)&x[j] = keep[(t * size + j) / 4 * blockDim.x];
		// Halves go where logits of tile t/2 lie: where no thread keeps those, all must have read them.
		if (sizeof(Act) < sizeof(float) && t / 2 >= kept) __syncthreads();
		pack<Act> d;
#pragma unroll
		for (int j = 0; j < size; j++) {
			float p = exp2f((x[j] - s.most) * LOG2_E) * factor;
			narrow(&d.at[j], counts && i + j == target ? p - scale : p);
		}
		if (i < columns) *(pack<Act> *)((Act *)row + i) = d;
	}
}

#define HEAD_LOSS(suffix, Act)                                                                                \
	extern "C" __global__ void __launch_bounds__(HEAD_THREADS, HEAD_BLOCKS) head_loss_##suffix(float *logits, int64_t ld, \
		const int *targets, float *losses, const float *step, int V, int columns, int first, int kept, int gradient, \
		fault_record *faults, int call) {                                                                        \
		head_loss<Act>(logits, ld, targets, losses, step, V, columns, first, kept, gradient, faults, call);      \
	}                                                                                                          \
	KERNEL(head_loss_##suffix)

HEAD_LOSS(f32, float)
HEAD_LOSS(bf16, __nv_bfloat16)
HEAD_LOSS(f16, __half)

// loss = the sum of N losses * step[STEP_LOSS_SCALE], added to what is there as mode says, by one block.
static __device__ void sum_losses(float *loss, const float *losses, int64_t N, int mode, const float *step) {
	SHARED(float, room);
	float sum = 0;
	for (int64_t n = threadIdx.x; n < N; n += blockDim.x) sum += losses[n];
	sum = block_sum(sum, room) * step[STEP_LOSS_SCALE];
	if (threadIdx.x == 0) *loss = accumulates(mode, step) ? *loss + sum : sum;
}

extern "C" __global__ void head_loss_sum(float *loss, const float *losses, int64_t N, int mode, const float *step) {
	sum_losses(loss, losses, N, mode, step);
}
KERNEL(head_loss_sum)
