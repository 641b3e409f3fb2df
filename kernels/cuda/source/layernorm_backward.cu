#include "mode.cuh"
#include "reduce.cuh"
#include "values.cuh"

// What layernorm.backward is given; dres may be NULL. averages holds two numbers for each row, or is NULL where a block sees
// whole rows and finds them itself. partials has room for [gridDim.x, 2, C] sums, or is NULL where nobody wants dg and db.
template <typename Act> struct backward {
	Act *dx;
	float *partials;
	const Act *dy, *x;
	const float *g, *mean, *rstd;
	const Act *dres;
	const float *averages;
	int64_t N;
	int C, groups;
	float share; // 1/C
};

static constexpr int VALUES = 8; // of a row in a thread

// The columns of a thread: VALUES of them, a pack at a time. A group of blockDim.x / groups threads, whole warps, takes a row.
template <typename Act> struct columns {
	static constexpr int size = pack<Act>::size, packs = VALUES / size;
	int width, group, first; // threads of a group; mine; the first of my columns

	__device__ inline explicit columns(int groups)
		: width(blockDim.x / groups), group(threadIdx.x / width),
		  first(blockIdx.y * width * VALUES + (threadIdx.x - group * width) * size) {}
	__device__ inline int at(int j) const { return first + j * width * size; }
};

// group_average averages two numbers over the columns of each group's row. room holds a pair for each warp.
static __device__ inline float2 group_average(float2 sum, float2 *room, int width, float share) {
	sum.x = warp_sum(sum.x), sum.y = warp_sum(sum.y);
	if (width > 32) {
		int warp = threadIdx.x / 32, warps = width / 32, first = warp / warps * warps;
		if (threadIdx.x % 32 == 0) room[warp] = sum;
		__syncthreads();
		sum = make_float2(0, 0);
#pragma unroll 4
		for (int w = first; w < first + warps; w++) sum.x += room[w].x, sum.y += room[w].y;
	}
	return make_float2(sum.x * share, sum.y * share);
}

// put_partials adds up what the groups of a block have for each column, in the order of the groups, and writes it to partials.
template <int packs, int size>
static __device__ inline void put_partials(float *partials, const float (&sums)[packs][size], int first, int width, int groups,
	int C, float *room) {
	int all = width * packs * size, base = blockIdx.y * all;
	__syncthreads();
#pragma unroll
	for (int j = 0; j < packs; j++)
#pragma unroll
		for (int i = 0; i < size; i++) room[threadIdx.x / width * all + first - base + j * width * size + i] = sums[j][i];
	__syncthreads();
	for (int c = threadIdx.x; c < all && base + c < C; c += blockDim.x) {
		float sum = 0;
		for (int group = 0; group < groups; group++) sum += room[group * all + c];
		partials[base + c] = sum;
	}
}

// A thread's part of the sums over rows.
template <int packs, int size> struct sums {
	float dg[packs][size] = {}, db[packs][size] = {};
};

// row_terms replaces dy by d and x by xhat, notes the row in the sums for dg and db, and gives this thread's sums of d and of
// d*xhat.
template <int packs, int size>
static __device__ inline float2 row_terms(float (&d)[packs][size], float (&x)[packs][size], const float (&g)[packs][size],
	float mean, float rstd, sums<packs, size> &over_rows) {
	float2 sum = make_float2(0, 0);
#pragma unroll
	for (int j = 0; j < packs; j++)
#pragma unroll
		for (int i = 0; i < size; i++) {
			x[j][i] = (x[j][i] - mean) * rstd;
			over_rows.dg[j][i] = fmaf(d[j][i], x[j][i], over_rows.dg[j][i]);
			over_rows.db[j][i] += d[j][i];
			d[j][i] *= g[j][i];
			sum.x += d[j][i];
			sum.y = fmaf(d[j][i], x[j][i], sum.y);
		}
	return sum;
}

// dx in one pass over memory. A block takes rows a fixed step apart, `groups` at a time, and keeps the sums for dg and db of
// its columns in registers meanwhile. room holds 32 pairs, twice, then VALUES floats for each thread.
template <bool wide, typename Act>
static __device__ inline void layernorm_backward(const backward<Act> &k, float2 *room) {
	constexpr int size = columns<Act>::size, packs = columns<Act>::packs;
	columns<Act> mine(k.groups);
	float g[packs][size], d[packs][size], x[packs][size], rest[packs][size];
	sums<packs, size> over_rows;
	for (int j = 0; j < packs; j++) load<wide>(g[j], k.g, mine.at(j), k.C);
	int turn = 0; // the pairs of rows that follow each other are apart, so that one barrier is enough
	for (int64_t row = (int64_t)blockIdx.x * k.groups; row < k.N; row += (int64_t)gridDim.x * k.groups, turn ^= 32) {
		int64_t n = row + mine.group;
		bool there = n < k.N;
		int C = there ? k.C : 0;
		float rstd = there ? k.rstd[n] : 0;
#pragma unroll
		for (int j = 0; j < packs; j++) {
			load<wide>(d[j], k.dy + n * k.C, mine.at(j), C);
			load<wide>(x[j], k.x + n * k.C, mine.at(j), C);
			load<wide>(rest[j], k.dres + n * k.C, mine.at(j), k.dres ? C : 0); // not in a branch, to be under way with the others
		}
		float2 average = row_terms(d, x, g, there ? k.mean[n] : 0, rstd, over_rows);
		if (k.averages) average = there ? ((const float2 *)k.averages)[n] : make_float2(0, 0);
		else average = group_average(average, room + turn, mine.width, k.share);
#pragma unroll
		for (int j = 0; j < packs; j++) {
#pragma unroll
			for (int i = 0; i < size; i++) x[j][i] = fmaf(rstd, d[j][i] - average.x - x[j][i] * average.y, rest[j][i]);
			store<wide>(k.dx + n * k.C, mine.at(j), C, x[j]);
		}
	}
	if (!k.partials) return;
	float *partials = k.partials + (int64_t)blockIdx.x * 2 * k.C;
	put_partials(partials, over_rows.dg, mine.first, mine.width, k.groups, k.C, (float *)(room + 64));
	put_partials(partials + k.C, over_rows.db, mine.first, mine.width, k.groups, k.C, (float *)(room + 64));
}

// The averages of d and of d*xhat over rows that are too wide for a block: a block takes a row.
template <bool wide, typename Act>
static __device__ inline void averages(float *out, const backward<Act> &k, float *room) {
	constexpr int size = pack<Act>::size;
	for (int64_t n = blockIdx.x; n < k.N; n += gridDim.x) {
		float d[size], x[size], g[size], a = 0, b = 0;
		for (int at = threadIdx.x * size; at < k.C; at += blockDim.x * size) {
			load<wide>(d, k.dy + n * k.C, at, k.C);
			load<wide>(x, k.x + n * k.C, at, k.C);
			load<wide>(g, k.g, at, k.C);
			for (int i = 0; i < size; i++) a += d[i] * g[i], b = fmaf(d[i] * g[i], (x[i] - k.mean[n]) * k.rstd[n], b);
		}
		a = block_sum(a, room), b = block_sum(b, room);
		if (threadIdx.x == 0) out[2 * n] = a * k.share, out[2 * n + 1] = b * k.share;
	}
}

// dg and db, by blockIdx.y, from the partial sums of `blocks` blocks: a warp adds every eighth of them for 32 columns, and the
// warps' sums are added in order.
extern "C" __global__ void __launch_bounds__(256) layernorm_backward_sums(float *dg, float *db,
	const float *__restrict__ partials, int blocks, int C, int mode, const float *step) {
	SHARED(float, room);
	float *out = blockIdx.y == 0 ? dg : db;
	int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32, c = blockIdx.x * 32 + lane;
	if (!out) return;
	float sum = 0;
#pragma unroll 4
	for (int block = warp; block < blocks; block += warps)
		if (c < C) sum += partials[((int64_t)block * 2 + blockIdx.y) * C + c];
	room[threadIdx.x] = sum;
	__syncthreads();
	if (warp > 0 || c >= C) return;
	for (int w = 1; w < warps; w++) sum += room[w * 32 + lane];
	out[c] = accumulates(mode, step) ? out[c] + sum : sum;
}
KERNEL(layernorm_backward_sums)

#define LAYERNORM_BACKWARD(name, wide, blocks, suffix, Act)                                                                     \
	extern "C" __global__ void __launch_bounds__(384, blocks) name##_##suffix(Act *__restrict__ dx,                             \
		float *__restrict__ partials,                                                                                           \
		const Act *__restrict__ dy, const Act *__restrict__ x, const float *__restrict__ g, const float *__restrict__ mean,     \
		const float *__restrict__ rstd, const Act *__restrict__ dres, const float *__restrict__ averages, int64_t N, int C,     \
		int groups, float share) {                                                                                              \
		SHARED(float2, room);                                                                                                   \
		layernorm_backward<wide>(backward<Act>{dx, partials, dy, x, g, mean, rstd, dres, averages, N, C, groups, share}, room); \
	}                                                                                                                           \
	KERNEL(name##_##suffix)                                                                                                     \
	extern "C" __global__ void __launch_bounds__(384) name##_averages_##suffix(float *out, const Act *dy, const Act *x,         \
		const float *g, const float *mean, const float *rstd, int64_t N, int C, float share) {                                  \
		SHARED(float, room);                                                                                                    \
		averages<wide>(out, backward<Act>{NULL, NULL, dy, x, g, mean, rstd, NULL, NULL, N, C, 1, share}, room);                 \
	}                                                                                                                           \
	KERNEL(name##_averages_##suffix)

#define LAYERNORM_BACKWARD_BOTH(suffix, Act)                                                                  \
	LAYERNORM_BACKWARD(layernorm_backward, false, 1, suffix, Act)                                             \
	LAYERNORM_BACKWARD(layernorm_backward_wide, true, 2, suffix, Act)

LAYERNORM_BACKWARD_BOTH(f32, float)
LAYERNORM_BACKWARD_BOTH(bf16, __nv_bfloat16)
LAYERNORM_BACKWARD_BOTH(f16, __half)
