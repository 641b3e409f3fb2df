// The gradient of attention without tensor cores, in the two kernels of attention_backward.cuh: a block owns 64 queries and
// sees the tiles of keys before them, and then a block owns 64 keys and sees the tiles of queries behind them. Registers hold
// the sums of 64 columns of a head; a larger one takes several blocks, along z, that compute the same scores.
#include "attention_plain.cuh"

enum { W = PLAIN_GRADIENT_WIDTH };

template <typename Act> struct plain_gradient_call {
	Act *dqkv;
	const Act *dout, *qkv, *out;
	const float *lse;
	float *delta; // [B,H,T]: written by the first kernel, read by the second
	const int32_t *lengths, *seed;
	attention_shape shape;
	fault_record *fault;
	int call;
};

// What both kernels read: rows of a head, and its dropout.
template <typename Act> struct plain_head {
	attention_place at;
	head_rows<const Act> q, k, v, dout;
	philox dropout;
	float unit;
};

template <typename Act>
static __device__ __forceinline__ plain_head<Act> head_of(const plain_gradient_call<Act> &c, const attention_place &at) {
	const attention_shape &s = c.shape;
	return {at, third(c.qkv, s, at, 0), third(c.qkv, s, at, 1), third(c.qkv, s, at, 2), output_rows(c.dout, s, at),
		dropout_of(c.seed, s), s.scale * LOG2E};
}

// find_delta writes dout·out of the block's queries, a warp for each in turn.
template <typename Act>
static __device__ __forceinline__ void find_delta(float *delta, const plain_gradient_call<Act> &c, const plain_head<Act> &head,
	int row) {
	head_rows<const Act> out = output_rows(c.out, c.shape, head.at), dout = head.dout;
	for (int i = warp_of(); i < EDGE; i += ATTENTION_WARPS) {
		float sum = 0;
		if (row + i < head.at.rows)
			for (int d = lane_of(); d < c.shape.D; d += 32)
				sum = fmaf(widen(out.start[(row + i) * out.stride + d]), widen(dout.start[(row + i) * dout.stride + d]), sum);
#pragma unroll
		for (int apart = 16; apart; apart /= 2) sum += __shfl_xor_sync(0xffffffff, sum, apart);
		if (lane_of()) continue;
		delta[i] = sum;
		if (blockIdx.z == 0 && row + i < head.at.rows) c.delta[head.at.head * c.shape.T + row + i] = sum;
	}
}

// differ_keys turns dout·v into ds, given scores. Rows are queries from row on, columns keys from key on.
static __device__ __forceinline__ void differ_keys(float (&ds)[ROWS][COLUMNS], const float (&scores)[ROWS][COLUMNS],
	const float (&lse)[ROWS], const float *delta, float unit, int row, int key) {
#pragma unroll
	for (int i = 0; i < ROWS; i++)
#pragma unroll
		for (int j = 0; j < COLUMNS; j++) {
			bool seen = key + thread_column() + j <= row + thread_row() + i;
			float p = seen ? exp2_flushed(fmaf(scores[i][j], unit, -lse[i])) : 0;
			ds[i][j] = p * (ds[i][j] - delta[thread_row() + i]);
		}
}

template <typename Act> static __device__ __forceinline__ void plain_queries(const plain_gradient_call<Act> &c) {
	SHARED(float, weights);
	float *room = weights + EDGE * EDGE, *delta = room + DEPTH * 128;
	const attention_shape &s = c.shape;
	attention_place at = place_of(s, EDGE, true, c.lengths, c.fault, c.call);
	if (at.rows < 0) return;
	plain_head<Act> head = head_of(c, at);
	int row = at.first, end = row < at.rows ? min(row + EDGE, at.rows) : 0;
	float sums[ROWS][W / 16], scores[ROWS][COLUMNS], ds[ROWS][COLUMNS], lse[ROWS], factor[ROWS];
	clear(sums);
	find_delta(delta, c, head, row);
#pragma unroll
	for (int i = 0; i < ROWS; i++) {
		int t = row + thread_row() + i;
		lse[i] = t < at.rows ? c.lse[at.head * s.T + t] * LOG2E : INFINITY, factor[i] = s.scale;
	}
	for (int key = 0; key < end; key += EDGE) {
		multiply_heads(scores, room, head.q, row, at.rows, head.k, key, end, s);
		multiply_heads(ds, room, head.dout, row, at.rows, head.v, key, end, s);
		if (head.dropout.threshold) keep_keys(ds, head.dropout, at.head, row, key, head.dropout.scale, s.T);
		differ_keys(ds, scores, lse, delta, head.unit, row, key);
		put_weights<Act>(weights, ds);
		add_weighted<W>(sums, weights, room, head.k, key, end, blockIdx.z * W, s);
	}
	store_sums<W>(third(c.dqkv, s, at, 0), sums, factor, row, blockIdx.z * W, s);
}

// differ_queries turns scores into mask*p, and dout·v into ds. Rows are keys from key on, columns queries from row on.
template <typename Act>
static __device__ __forceinline__ void differ_queries(float (&p)[ROWS][COLUMNS], float (&ds)[ROWS][COLUMNS],
	const plain_gradient_call<Act> &c, const plain_head<Act> &head, int key, int row) {
	float factor[ROWS][COLUMNS];
	keep_queries(factor, head.dropout, head.at.head, key, row, c.shape.T);
#pragma unroll
	for (int j = 0; j < COLUMNS; j++) {
		int t = row + thread_column() + j;
		bool real = t < head.at.rows;
		int64_t index = head.at.head * c.shape.T + t;
		float lse = real ? c.lse[index] * LOG2E : INFINITY, delta = real ? c.delta[index] : 0;
#pragma unroll
		for (int i = 0; i < ROWS; i++) {
			bool seen = key + thread_row() + i <= t;
			float probability = seen ? exp2_flushed(fmaf(p[i][j], head.unit, -lse)) : 0;
			p[i][j] = probability * factor[i][j];
			ds[i][j] = probability * fmaf(ds[i][j], factor[i][j], -delta);
		}
	}
}

template <typename Act> static __device__ __forceinline__ void plain_keys(const plain_gradient_call<Act> &c) {
	SHARED(float, weights);
	float *room = weights + EDGE * EDGE;
	const attention_shape &s = c.shape;
	attention_place at = place_of(s, EDGE, false, c.lengths, c.fault, c.call);
	if (at.rows < 0) return;
	plain_head<Act> head = head_of(c, at);
	int key = at.first, column = blockIdx.z * W;
	float dk[ROWS][W / 16], dv[ROWS][W / 16], p[ROWS][COLUMNS], ds[ROWS][COLUMNS], factor[ROWS], one[ROWS];
	clear(dk), clear(dv);
	for (int row = key; row < at.rows; row += EDGE) {
		multiply_heads(p, room, head.k, key, at.rows, head.q, row, at.rows, s);
		multiply_heads(ds, room, head.v, key, at.rows, head.dout, row, at.rows, s);
		differ_queries(p, ds, c, head, key, row);
		put_weights<Act>(weights, p);
		add_weighted<W>(dv, weights, room, head.dout, row, at.rows, column, s);
		put_weights<Act>(weights, ds);
		add_weighted<W>(dk, weights, room, head.q, row, at.rows, column, s);
	}
#pragma unroll
	for (int i = 0; i < ROWS; i++) factor[i] = s.scale, one[i] = 1;
	store_sums<W>(third(c.dqkv, s, at, 1), dk, factor, key, column, s);
	store_sums<W>(third(c.dqkv, s, at, 2), dv, one, key, column, s);
}

#define PLAIN_BACKWARD(suffix, Act, which)                                                                    \
	extern "C" __global__ __launch_bounds__(ATTENTION_THREADS) void attention_backward_##which##_plain_##suffix(Act *dqkv, \
		const Act *dout, const Act *qkv, const Act *out, const float *lse, float *delta, const int32_t *lengths,  \
		const int32_t *seed, attention_shape shape, fault_record *fault, int call) {                             \
		plain_##which(plain_gradient_call<Act>{dqkv, dout, qkv, out, lse, delta, lengths, seed, shape, fault, call}); \
	}                                                                                                          \
	KERNEL(attention_backward_##which##_plain_##suffix)

PLAIN_BACKWARD(f32, float, queries)
PLAIN_BACKWARD(bf16, __nv_bfloat16, queries)
PLAIN_BACKWARD(f16, __half, queries)
PLAIN_BACKWARD(f32, float, keys)
PLAIN_BACKWARD(bf16, __nv_bfloat16, keys)
PLAIN_BACKWARD(f16, __half, keys)
