// Causal attention without tensor cores, as attention_forward.cu does it: a block owns 64 queries, and tiles of 64 keys pass
// by.
#include "attention_plain.cuh"

template <typename Act> struct plain_call {
	Act *out;
	float *lse;
	const Act *q, *k, *v;
	const int32_t *lengths, *start, *seed;
	attention_shape shape;
	fault_record *fault;
	int call;
};

// The softmax of this thread's rows so far: the largest score as a power of two, and its share of the sum.
struct plain_softmax {
	float largest[ROWS], total[ROWS];
};

// soften turns scores into exponentials from the new maximum, and brings the sums to it. Queries stand at position on, keys at
// key.
template <int N>
static __device__ __forceinline__ void soften(plain_softmax &state, float (&sums)[ROWS][N], float (&scores)[ROWS][COLUMNS],
	int position, int key, float unit) {
#pragma unroll
	for (int i = 0; i < ROWS; i++) {
		float largest = -INFINITY, before = state.largest[i];
#pragma unroll
		for (int j = 0; j < COLUMNS; j++) {
			if (key + thread_column() + j > position + thread_row() + i) scores[i][j] = -INFINITY;
			largest = fmaxf(largest, scores[i][j]);
		}
		largest = fmaxf(before, row_max(largest) * unit);
		float shrink = exp2_flushed(before - largest), total = 0;
#pragma unroll
		for (int j = 0; j < COLUMNS; j++) {
			scores[i][j] = exp2_flushed(fmaf(scores[i][j], unit, -largest));
			total += scores[i][j];
		}
		state.largest[i] = largest;
		state.total[i] = fmaf(state.total[i], shrink, total);
#pragma unroll
		for (int j = 0; j < N; j++) sums[i][j] *= shrink;
	}
}

// finish writes outputs, and lse in the blocks that have the head's first columns. Rows of padding give 0.
template <int W, typename Act>
static __device__ __forceinline__ void finish(const plain_call<Act> &c, const attention_place &at,
	const float (&sums)[ROWS][W / 16], const plain_softmax &state, float kept_scale, int row) {
	float factor[ROWS];
	bool writes = c.lse && blockIdx.z == 0 && threadIdx.x % 16 == 0;
#pragma unroll
	for (int i = 0; i < ROWS; i++) {
		int t = row + thread_row() + i;
		float total = row_sum(state.total[i]);
		factor[i] = t < at.rows ? __fdividef(kept_scale, total) : 0;
		if (writes && t < c.shape.T) c.lse[at.head * c.shape.T + t] = t < at.rows ? (state.largest[i] + log2f(total)) * LN2 : 0;
	}
	store_sums<W>(output_rows(c.out, c.shape, at), sums, factor, row, blockIdx.z * W, c.shape);
}

template <int W, typename Act> static __device__ __forceinline__ void attention_plain(const plain_call<Act> &c) {
	SHARED(float, weights);
	float *room = weights + EDGE * EDGE;
	const attention_shape &s = c.shape;
	attention_place at = place_of(s, EDGE, true, c.lengths, c.fault, c.call);
	int first = first_position(s, c.start, c.fault, c.call);
	if (at.rows < 0 || first < 0) return;
	int row = at.first, end = row < at.rows ? first + min(row + EDGE, at.rows) : 0;
	head_rows<const Act> q = query_rows(c.q, s, at), k = key_rows(c.k, s, at), v = key_rows(c.v, s, at);
	philox dropout = dropout_of(c.seed, s);
	plain_softmax state;
	float sums[ROWS][W / 16], scores[ROWS][COLUMNS];
	clear(sums);
#pragma unroll
	for (int i = 0; i < ROWS; i++) state.largest[i] = -INFINITY, state.total[i] = 0;
	for (int key = 0; key < end; key += EDGE) {
		multiply_heads(scores, room, q, row, at.rows, k, key, end, s);
		soften(state, sums, scores, first + row, key, s.scale * LOG2E);
		if (dropout.threshold) keep_keys(scores, dropout, at.head, row, key, 1, s.T);
		put_weights<Act>(weights, scores);
		add_weighted<W>(sums, weights, room, v, key, end, blockIdx.z * W, s);
	}
	finish<W>(c, at, sums, state, dropout.scale, row);
}

#define PLAIN(suffix, Act, W)                                                                                 \
	extern "C" __global__ __launch_bounds__(ATTENTION_THREADS) void attention_plain_##W##_##suffix(Act *out, float *lse, \
		const Act *q, const Act *k, const Act *v, const int32_t *lengths, const int32_t *start, const int32_t *seed, \
		attention_shape shape, fault_record *fault, int call) {                                                  \
		attention_plain<W>(plain_call<Act>{out, lse, q, k, v, lengths, start, seed, shape, fault, call});        \
	}                                                                                                          \
	KERNEL(attention_plain_##W##_##suffix)

PLAIN(f32, float, 64)
PLAIN(f32, float, 128)
PLAIN(bf16, __nv_bfloat16, 128)
PLAIN(f16, __half, 128)
