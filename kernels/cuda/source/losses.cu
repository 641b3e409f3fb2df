#include "mode.cuh"
#include "reduce.cuh"

// The losses of a classifier. A block takes a row of K values; one block then adds up the rows in a fixed order.

// What both losses are given; rows and dlogits may be NULL. totals holds the loss of each row, unrounded, for the sum.
struct losses {
	double *totals;
	float *rows, *dlogits;
	const float *logits, *weights;
	int K;
	const float *step;
};

static __device__ inline void put_row(const losses &k, double loss) {
	if (threadIdx.x > 0) return;
	k.totals[blockIdx.x] = loss;
	if (k.rows) k.rows[blockIdx.x] = (float)loss;
}

// The row of a label that is below 0 counts for nothing.
static __device__ inline void ignore_row(const losses &k) {
	put_row(k, 0);
	if (!k.dlogits) return;
	for (int i = threadIdx.x; i < k.K; i += blockDim.x) k.dlogits[(int64_t)blockIdx.x * k.K + i] = 0;
}

// rows[b] = w*(log sum exp(x) - x[label]), and dlogits = w*scale*(softmax(x) - onehot).
extern "C" __global__ void __launch_bounds__(512) class_loss_rows(double *totals, float *rows, float *dlogits,
	const float *logits, const int32_t *labels, const float *weights, int K, const float *step, fault_record *fault, int call) {
	SHARED(float, room);
	losses k = {totals, rows, dlogits, logits, weights, K, step};
	const float *x = logits + (int64_t)blockIdx.x * K;
	int label = labels[blockIdx.x];
	if (label >= K && threadIdx.x == 0) report(fault, call, FAULT_LABEL, label, K, blockIdx.x);
	if (label < 0 || label >= K) return ignore_row(k);
	float largest = -INFINITY, total = 0, weight = weights ? weights[label] : 1;
	for (int i = threadIdx.x; i < K; i += blockDim.x) largest = fmaxf(largest, x[i]);
	largest = block_max(largest, room);
	for (int i = threadIdx.x; i < K; i += blockDim.x) total += expf(x[i] - largest);
	total = block_sum(total, room);
	if (dlogits) {
		float factor = weight * step[STEP_LOSS_SCALE];
		for (int i = threadIdx.x; i < K; i += blockDim.x)
			dlogits[(int64_t)blockIdx.x * K + i] = factor * (expf(x[i] - largest) / total - (i == label ? 1.0f : 0.0f));
	}
	put_row(k, (double)weight * ((double)(largest - x[label]) + (double)logf(total)));
}
KERNEL(class_loss_rows)

// binary_entry is -(w*y*log sigmoid(x) + (1-y)*log(1-sigmoid(x))) in a form that does not overflow, and its derivative.
static __device__ inline float binary_entry(float x, float y, float weight, float *slope) {
	float factor = fmaf(weight - 1, y, 1);
	*slope = (1 - y) - factor / (1 + expf(x));
	return fmaf(1 - y, x, factor * (fmaxf(-x, 0) + log1pf(expf(-fabsf(x)))));
}

// rows[b] = the sum of the entries of a row; one whose first target is below 0 counts for nothing.
extern "C" __global__ void __launch_bounds__(512) binary_loss_rows(double *totals, float *rows, float *dlogits,
	const float *logits, const float *targets, const float *weights, int K, const float *step) {
	SHARED(double, room);
	losses k = {totals, rows, dlogits, logits, weights, K, step};
	int64_t at = (int64_t)blockIdx.x * K;
	if (K == 0 || targets[at] < 0) return ignore_row(k);
	double loss = 0;
	for (int i = threadIdx.x; i < K; i += blockDim.x) {
		float slope;
		loss += binary_entry(logits[at + i], targets[at + i], weights ? weights[i] : 1, &slope);
		if (dlogits) dlogits[at + i] = slope * step[STEP_LOSS_SCALE];
	}
	put_row(k, block_sum(loss, room));
}
KERNEL(binary_loss_rows)

// loss = the sum of the rows times the step's scale, by one block.
extern "C" __global__ void __launch_bounds__(512) loss_of_rows(float *loss, const double *totals, int B, int mode,
	const float *step) {
	SHARED(double, room);
	double sum = 0;
	for (int b = threadIdx.x; b < B; b += blockDim.x) sum += totals[b];
	sum = block_sum(sum, room) * (double)step[STEP_LOSS_SCALE];
	if (threadIdx.x == 0) *loss = (float)(accumulates(mode, step) ? (double)*loss + sum : sum);
}
KERNEL(loss_of_rows)
