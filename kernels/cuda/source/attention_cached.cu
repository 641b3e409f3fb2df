// Attention of a few new rows over a cache, for generating text. Reading the cache is the work, so the keys of a head are split
// among blocks of 128 that each give a part of the softmax, and a second kernel adds the parts up in their order. What is new
// is read from qkv, never from the cache, so the blocks that append it to the cache are in nobody's way.
#include "attention_place.cuh"
#include "attention_scores.cuh"

template <typename Act> struct cached_call {
	Act *out;
	const Act *qkv;
	Act *keys, *values;
	const int32_t *start;
	float *parts; // [B,H,T,splits] of largest score as a power of two, sum, and D sums of values; 0: one split, which writes out
	attention_shape shape;
	fault_record *fault;
	int call;
};

// A query: where it stands, and the head's rows. new_k and new_v begin at position first.
template <typename Act> struct cached_query {
	attention_place at;
	int t, first, position;
	head_rows<const Act> q, new_k, new_v;
	head_rows<Act> k, v;
};

template <typename Act>
static __device__ __forceinline__ cached_query<Act> query_of(const cached_call<Act> &c, int first) {
	const attention_shape &s = c.shape;
	attention_place at = {(int)(blockIdx.x / s.H), (int)(blockIdx.x % s.H), s.T, blockIdx.x, 0};
	return {at, (int)blockIdx.y, first, first + (int)blockIdx.y, third(c.qkv, s, at, 0), third(c.qkv, s, at, 1),
		third(c.qkv, s, at, 2), key_rows(c.keys, s, at), key_rows(c.values, s, at)};
}

// load is pack number i of the row at a position, from the cache or from the new rows; zeroes behind column D.
template <typename Act>
static __device__ __forceinline__ pack<Act> load(const cached_query<Act> &q, head_rows<Act> old, head_rows<const Act> added,
	int position, int i, const attention_shape &s) {
	const Act *row = position < q.first ? old.start + position * old.stride : added.start + (position - q.first) * added.stride;
	row += i * pack<Act>::size;
	return s.wide ? *(const pack<Act> *)row : gather(row, s.D - i * pack<Act>::size);
}

// append copies the query's own key and value to the cache.
template <typename Act> static __device__ __forceinline__ void append(const cached_query<Act> &q, int D) {
	for (int d = threadIdx.x; d < D; d += ATTENTION_THREADS) {
		q.k.start[q.position * q.k.stride + d] = q.new_k.start[q.t * q.new_k.stride + d];
		q.v.start[q.position * q.v.stride + d] = q.new_v.start[q.t * q.new_v.stride + d];
	}
}

// threads_for is how many threads in a row, a power of two, share a row of so many packs.
static __device__ __forceinline__ int threads_for(int packs, int most) {
	int threads = 1;
	while (threads < packs && threads < most) threads *= 2;
	return threads;
}

// load_query is pack number i of the query, times the unit of scores; zeroes behind its end.
template <typename Act>
static __device__ __forceinline__ void load_query(float (&query)[pack<Act>::size], const cached_query<Act> &q, int i,
	const attention_shape &s) {
	constexpr int SIZE = pack<Act>::size;
	pack<Act> x = gather(q.q.start + q.t * q.q.stride + i * SIZE, s.D - i * SIZE);
#pragma unroll
	for (int j = 0; j < SIZE; j++) query[j] = widen(x.at[j]) * (s.scale * LOG2E);
}

// score writes the scores of count keys from begin on with the query, as powers of two, and -infinity behind them. Some threads
// in a row share a key, a pack of columns each; heads that have more packs than a warp has threads take several passes.
template <typename Act>
static __device__ __forceinline__ void score(float *scores, const cached_query<Act> &q, int begin, int count,
	const attention_shape &s) {
	constexpr int SIZE = pack<Act>::size;
	int packs = (s.D + SIZE - 1) / SIZE, threads = threads_for(packs, 32), lane = lane_of() & (threads - 1);
	for (int first = 0; first < packs; first += threads) {
		float query[SIZE];
		load_query(query, q, first + lane, s);
#pragma unroll 4
		for (int i = threadIdx.x / threads; i < CACHED_KEYS; i += ATTENTION_THREADS / threads) {
			float sum = 0;
			if (i < count && first + lane < packs) {
				pack<Act> key = load(q, q.k, q.new_k, begin + i, first + lane, s);
#pragma unroll
				for (int j = 0; j < SIZE; j++) sum = fmaf(query[j], widen(key.at[j]), sum);
			}
			for (int apart = threads / 2; apart; apart /= 2) sum += __shfl_xor_sync(0xffffffff, sum, apart);
			if (lane == 0) scores[i] = i < count ? sum + (first ? scores[i] : 0) : -INFINITY;
		}
	}
}

// over_block folds x over the block, in a fixed order; room has a float for each warp.
template <typename Fold> static __device__ __forceinline__ float over_block(float x, float *room, Fold fold) {
#pragma unroll
	for (int apart = 16; apart; apart /= 2) x = fold(x, __shfl_xor_sync(0xffffffff, x, apart));
	if (lane_of() == 0) room[warp_of()] = x;
	__syncthreads();
	x = fold(fold(room[0], room[1]), fold(room[2], room[3]));
	__syncthreads();
	return x;
}

// weigh sums the values of count keys by their weights: groups of threads take keys in turn, a pack of columns each, and put(d,
// sum) gets what they give together.
template <typename Act, typename Put>
static __device__ __forceinline__ void weigh(const float *weights, float *room, const cached_query<Act> &q, int begin, int count,
	const attention_shape &s, Put put) {
	constexpr int SIZE = pack<Act>::size;
	int packs = (s.D + SIZE - 1) / SIZE, threads = threads_for(packs, ATTENTION_THREADS), groups = ATTENTION_THREADS / threads;
	int group = threadIdx.x / threads, mine = threadIdx.x % threads;
	for (int first = 0; first < packs; first += threads) {
		float sums[SIZE] = {};
#pragma unroll 4
		for (int i = group; i < count && first + mine < packs; i += groups) {
			pack<Act> value = load(q, q.v, q.new_v, begin + i, first + mine, s);
#pragma unroll
			for (int j = 0; j < SIZE; j++) sums[j] = fmaf(weights[i], widen(value.at[j]), sums[j]);
		}
#pragma unroll
		for (int j = 0; j < SIZE; j++) room[(group * threads + mine) * SIZE + j] = sums[j];
		__syncthreads();
		for (int d = threadIdx.x; d < min(threads * SIZE, s.D - first * SIZE); d += ATTENTION_THREADS) {
			float sum = 0;
			for (int i = 0; i < groups; i++) sum += room[i * threads * SIZE + d];
			put(first * SIZE + d, sum);
		}
		__syncthreads();
	}
}

template <typename Act> static __device__ __forceinline__ void attention_cached(const cached_call<Act> &c) {
	SHARED(float, scores);
	float *warps = scores + CACHED_KEYS, *room = warps + ATTENTION_WARPS;
	const attention_shape &s = c.shape;
	int first = first_position(s, c.start, c.fault, c.call);
	if (first < 0 || (int)blockIdx.y >= s.T) return;
	cached_query<Act> q = query_of(c, first);
	int begin = blockIdx.z * CACHED_KEYS, count = min(CACHED_KEYS, q.position + 1 - begin);
	if (count <= 0) return;
	if (q.position < begin + CACHED_KEYS) append(q, s.D);
	score(scores, q, begin, count, s);
	__syncthreads();
	float largest = over_block(scores[threadIdx.x], warps, [](float a, float b) { return fmaxf(a, b); });
	float p = exp2_flushed(scores[threadIdx.x] - largest);
	scores[threadIdx.x] = p;
	float total = over_block(p, warps, [](float a, float b) { return a + b; });
	Act *out = output_rows(c.out, s, q.at).start + q.t * ((int64_t)s.H * s.D);
	float *part = c.parts + ((q.at.head * s.T + q.t) * gridDim.z + blockIdx.z) * (s.D + 2);
	bool whole = gridDim.z == 1;
	if (!whole && threadIdx.x == 0) part[0] = largest, part[1] = total;
	weigh(scores, room, q, begin, count, s, [=](int d, float sum) {
		if (whole)
			narrow(&out[d], sum / total);
		else
			part[2 + d] = sum;
	});
}

// add_parts makes a row of out of its parts, those that have keys.
template <typename Act> static __device__ __forceinline__ void add_parts(const cached_call<Act> &c, int splits) {
	const attention_shape &s = c.shape;
	int first = first_position(s, c.start, c.fault, c.call);
	if (first < 0 || (int)blockIdx.y >= s.T) return;
	cached_query<Act> q = query_of(c, first);
	int used = q.position / CACHED_KEYS + 1, size = s.D + 2;
	const float *parts = c.parts + (q.at.head * s.T + q.t) * splits * size;
	Act *out = output_rows(c.out, s, q.at).start + q.t * ((int64_t)s.H * s.D);
	float largest = -INFINITY, total = 0;
	for (int i = 0; i < used; i++) largest = fmaxf(largest, parts[(int64_t)i * size]);
	for (int i = 0; i < used; i++) total += exp2_flushed(parts[(int64_t)i * size] - largest) * parts[(int64_t)i * size + 1];
	for (int d = threadIdx.x; d < s.D; d += ATTENTION_THREADS) {
		float sum = 0;
		for (int i = 0; i < used; i++)
			sum = fmaf(exp2_flushed(parts[(int64_t)i * size] - largest), parts[(int64_t)i * size + 2 + d], sum);
		narrow(&out[d], sum / total);
	}
}

// attention_append copies the keys and values of a new row, one a block, to the caches, for calls with many of them.
template <typename Act> static __device__ __forceinline__ void append_row(const cached_call<Act> &c) {
	const attention_shape &s = c.shape;
	int first = first_position(s, c.start, c.fault, c.call);
	if (first < 0) return;
	unsigned b = blockIdx.x / s.T, t = blockIdx.x % s.T;
	int64_t C = (int64_t)s.H * s.D, to = ((int64_t)b * s.P + first + t) * C;
	const Act *k = c.qkv + blockIdx.x * s.query_stride + C, *v = k + C;
	using Pack = pack<Act>;
	if (s.wide)
		for (int64_t i = threadIdx.x; i < C / Pack::size; i += ATTENTION_THREADS) {
			((Pack *)(c.keys + to))[i] = ((const Pack *)k)[i];
			((Pack *)(c.values + to))[i] = ((const Pack *)v)[i];
		}
	else
		for (int64_t i = threadIdx.x; i < C; i += ATTENTION_THREADS) c.keys[to + i] = k[i], c.values[to + i] = v[i];
}

#define CACHED(name, suffix, Act, does)                                                                       \
	extern "C" __global__ __launch_bounds__(ATTENTION_THREADS, 8) void name##_##suffix(Act *out, const Act *qkv, Act *keys, \
		Act *values, const int32_t *start, float *parts, int splits, attention_shape shape, fault_record *fault,  \
		int call) {                                                                                              \
		cached_call<Act> c = {out, qkv, keys, values, start, parts, shape, fault, call};                         \
		(void)splits;                                                                                            \
		does;                                                                                                    \
	}                                                                                                          \
	KERNEL(name##_##suffix)

#define CACHED_PRECISIONS(name, does) \
	CACHED(name, f32, float, does) CACHED(name, bf16, __nv_bfloat16, does) CACHED(name, f16, __half, does)

CACHED_PRECISIONS(attention_cached, attention_cached(c))
CACHED_PRECISIONS(attention_cached_sum, add_parts(c, splits))
CACHED_PRECISIONS(attention_append, append_row(c))
