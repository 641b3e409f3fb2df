#include "mode.cuh"
#include "token_order.cuh"
#include "values.cuh"

// Sums over the rows of dout [N,C] by token and by position, in a fixed order and without atomic additions.

static constexpr unsigned ALL_LANES = 0xffffffff;
static constexpr int PIECE = 32; // keys that a warp sums
static constexpr int AHEAD = 4;  // rows that it has on the way

// The piece of this warp, by blockIdx.x, and the first column of this thread in the slice of 32*size that is blockIdx.y.
static __device__ inline int my_piece() { return blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32; }
static __device__ inline int my_column(int size) { return (blockIdx.y * 32 + threadIdx.x % 32) * size; }

// put stores sums to a row of a gradient from column c on, or adds them.
template <bool wide, int size> static __device__ inline void put(float *row, int c, int C, float (&sums)[size], bool adds) {
	if (adds) {
		float there[size];
		load<wide>(there, row, c, C);
#pragma unroll
		for (int i = 0; i < size; i++) sums[i] += there[i];
	}
	store<wide>(row, c, C, sums);
}

// dwte becomes 0 unless it is added to: most tokens do not occur.
extern "C" __global__ void embed_backward_zero(float *dwte, int64_t n, int mode, const float *step, int wide) {
	if (accumulates(mode, step)) return;
	int64_t first = (int64_t)blockIdx.x * blockDim.x + threadIdx.x, stride = (int64_t)gridDim.x * blockDim.x;
	int64_t packs = wide ? n / pack<float>::size : 0;
	for (int64_t i = first; i < packs; i += stride) ((pack<float> *)dwte)[i] = {};
	for (int64_t i = packs * pack<float>::size + first; i < n; i += stride) dwte[i] = 0;
}
KERNEL(embed_backward_zero)

// What the sum over tokens is given. parts [pieces,2,C] holds what a piece has of a token that began in an earlier piece, and
// of one that goes on in the next.
template <typename Act> struct by_token {
	float *dwte, *parts;
	const Act *dout;
	const uint64_t *keys;
	int N, C;
	bool adds;
};

// token_at is the token of key i, NO_TOKEN outside of the keys.
static __device__ inline uint32_t token_at(const uint64_t *keys, int N, int i) {
	return i >= 0 && i < N ? key_token(keys[i]) : NO_TOKEN;
}

// A warp sums PIECE rows in the order of the keys, a slice of the columns. Tokens that begin and end in the piece go to dwte, the
// others to parts. Pieces have a fixed length, so a frequent token does not keep one warp busy for long.
template <bool wide, typename Act> static __device__ inline void sum_piece(const by_token<Act> &k, int piece, int c) {
	constexpr int size = pack<Act>::size;
	int lane = threadIdx.x % 32, from = piece * PIECE, count = min(PIECE, k.N - from);
	uint64_t key = lane < count ? k.keys[from + lane] : token_key(NO_TOKEN, 0);
	uint32_t token = key_token(key), next = __shfl_down_sync(ALL_LANES, token, 1);
	unsigned ends = __ballot_sync(ALL_LANES, lane == count - 1 || token != next);
	uint32_t before = token_at(k.keys, k.N, from - 1), after = token_at(k.keys, k.N, from + PIECE);
	float *parts = k.parts + (int64_t)piece * 2 * k.C, sums[size] = {};
	for (int first = 0; first < count; first += AHEAD) {
		float rows[AHEAD][size];
		uint32_t tokens[AHEAD];
#pragma unroll
		for (int i = 0; i < AHEAD; i++) {
			uint64_t of = __shfl_sync(ALL_LANES, key, first + i);
			tokens[i] = key_token(of);
			load<wide>(rows[i], k.dout + (int64_t)key_row(of) * k.C, c, tokens[i] == NO_TOKEN ? 0 : k.C);
		}
#pragma unroll
		for (int i = 0; i < AHEAD; i++) {
#pragma unroll
			for (int j = 0; j < size; j++) sums[j] += rows[i][j];
			if (!(ends >> (first + i) & 1) || tokens[i] == NO_TOKEN) continue;
			bool is_last = first + i == count - 1;
			if (tokens[i] == before) store<wide>(parts, c, k.C, sums);
			else if (is_last && tokens[i] == after) store<wide>(parts + k.C, c, k.C, sums);
			else put<wide>(k.dwte + (int64_t)tokens[i] * k.C, c, k.C, sums, k.adds);
#pragma unroll
			for (int j = 0; j < size; j++) sums[j] = 0;
		}
	}
}

// A warp adds up what the pieces have of a token that begins in its piece and goes on in others.
template <bool wide> static __device__ inline void sum_parts(const by_token<float> &k, int piece, int c) {
	constexpr int size = pack<float>::size;
	int lane = threadIdx.x % 32, end = (piece + 1) * PIECE;
	uint32_t token = token_at(k.keys, k.N, end);
	if (token == NO_TOKEN || token != key_token(k.keys[end - 1]) || token == token_at(k.keys, k.N, end - PIECE - 1)) return;
	float sums[size], part[size];
	load<wide>(sums, k.parts + ((int64_t)piece * 2 + 1) * k.C, c, k.C);
	for (int next = piece + 1, count = 32; count == 32; next += 32) {
		// Each lane looks at the first key of another piece.
		int key = (next + lane) * PIECE;
		unsigned others = ~__ballot_sync(ALL_LANES, token_at(k.keys, k.N, key) == token);
		count = others ? __ffs(others) - 1 : 32;
#pragma unroll 4
		for (int i = 0; i < count; i++) {
			load<wide>(part, k.parts + (int64_t)(next + i) * 2 * k.C, c, k.C);
#pragma unroll
			for (int j = 0; j < size; j++) sums[j] += part[j];
		}
	}
	put<wide>(k.dwte + (int64_t)token * k.C, c, k.C, sums, k.adds);
}

// dwpe from dout [B,T,C]: a block takes a position and a slice of the columns, a warp every eighth sequence, and the warps'
// sums are added in order.
template <bool wide, typename Act>
static __device__ inline void sum_positions(float *dwpe, const Act *dout, int B, int T, int C, bool adds, float *room) {
	constexpr int size = pack<Act>::size;
	int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
	int t = blockIdx.x, c = my_column(size);
	float sums[size] = {}, row[size];
	if (t < T) {
#pragma unroll 4
		for (int b = warp; b < B; b += warps) {
			load<wide>(row, dout + ((int64_t)b * T + t) * C, c, C);
#pragma unroll
			for (int j = 0; j < size; j++) sums[j] += row[j];
		}
	}
#pragma unroll
	for (int j = 0; j < size; j++) room[(warp * size + j) * 32 + lane] = sums[j];
	__syncthreads();
	if (warp > 0) return;
	for (int w = 1; w < warps; w++)
#pragma unroll
		for (int j = 0; j < size; j++) sums[j] += room[(w * size + j) * 32 + lane];
	put<wide>(dwpe + (int64_t)t * C, c, C, sums, adds);
}

#define EMBED_BACKWARD(way, wide, suffix, Act)                                                                              \
	extern "C" __global__ void __launch_bounds__(256) embed_backward_pieces##way##_##suffix(float *__restrict__ dwte,       \
		float *__restrict__ parts, const Act *__restrict__ dout, const uint64_t *__restrict__ keys, int N, int C, int mode, \
		const float *step) {                                                                                                \
		by_token<Act> k = {dwte, parts, dout, keys, N, C, accumulates(mode, step)};                                         \
		if (my_piece() * PIECE < N) sum_piece<wide>(k, my_piece(), my_column(pack<Act>::size));                             \
	}                                                                                                                       \
	KERNEL(embed_backward_pieces##way##_##suffix)                                                                           \
	extern "C" __global__ void __launch_bounds__(256) embed_backward_positions##way##_##suffix(float *__restrict__ dwpe,    \
		const Act *__restrict__ dout, int B, int T, int C, int mode, const float *step) {                                   \
		SHARED(float, room);                                                                                                \
		bool adds = accumulates(mode, step);                                                                                \
		if (!adds || (int)blockIdx.x < T) sum_positions<wide>(dwpe, dout, B, T, C, adds, room);                             \
	}                                                                                                                       \
	KERNEL(embed_backward_positions##way##_##suffix)

#define EMBED_BACKWARD_PARTS(way, wide)                                                                            \
	extern "C" __global__ void __launch_bounds__(256) embed_backward_parts##way(float *__restrict__ dwte,          \
		float *__restrict__ parts, const uint64_t *__restrict__ keys, int N, int C, int mode, const float *step) { \
		by_token<float> k = {dwte, parts, NULL, keys, N, C, accumulates(mode, step)};                              \
		if (my_piece() * PIECE < N) sum_parts<wide>(k, my_piece(), my_column(pack<float>::size));                  \
	}                                                                                                              \
	KERNEL(embed_backward_parts##way)

#define EMBED_BACKWARD_BOTH(suffix, Act)                                                                      \
	EMBED_BACKWARD(, false, suffix, Act)                                                                      \
	EMBED_BACKWARD(_wide, true, suffix, Act)

EMBED_BACKWARD_BOTH(f32, float)
EMBED_BACKWARD_BOTH(bf16, __nv_bfloat16)
EMBED_BACKWARD_BOTH(f16, __half)
EMBED_BACKWARD_PARTS(, false)
EMBED_BACKWARD_PARTS(_wide, true)
