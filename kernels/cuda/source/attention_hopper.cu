// Causal attention for heads of 64 and 128 in half precision on sm_90a, after Shah et al., "FlashAttention-3" (2024). Of three
// warpgroups the first has one thread copy tiles of keys and values, two of each ahead, and the others own 64 queries each.
// While one of these turns scores into probabilities, the tensor cores work for the other; and within one, the values of a tile
// are summed while the scores of the next become probabilities. Off by default: it has run in the emulator alone.
#include "attention_forward.cuh"
#include "hopper.cuh"

#if HAS_HOPPER

enum { KEYS = HOPPER_KEYS, STAGES = HOPPER_STAGES, CONSUMERS = 256, PANEL = 64 };

// Shared memory: tiles in panels of 64 columns, and barriers: tiles are there, and may be overwritten.
template <typename Half> struct hopper_room {
	Half *q, *k, *v;
	uint64_t *q_ready, *k_ready, *k_free, *v_ready, *v_free;
};

template <int W, typename Half> static __device__ __forceinline__ hopper_room<Half> hopper_room_at(unsigned char *shared) {
	unsigned char *at = shared + (1024 - (shared_address(shared) & 1023)) % 1024; // a swizzle begins there
	hopper_room<Half> room;
	room.q = (Half *)at;
	room.k = room.q + HOPPER_QUERIES * W;
	room.v = room.k + STAGES * KEYS * W;
	room.q_ready = (uint64_t *)(room.v + STAGES * KEYS * W);
	room.k_ready = room.q_ready + 1, room.k_free = room.k_ready + STAGES;
	room.v_ready = room.k_free + STAGES, room.v_free = room.v_ready + STAGES;
	return room;
}

template <typename Half> static __device__ __forceinline__ void begin_barriers(const hopper_room<Half> &room) {
	if (threadIdx.x == 0) {
		barrier_init(room.q_ready, 1);
		for (int i = 0; i < STAGES; i++) {
			barrier_init(room.k_ready + i, 1), barrier_init(room.k_free + i, CONSUMERS / 32);
			barrier_init(room.v_ready + i, 1), barrier_init(room.v_free + i, CONSUMERS / 32);
		}
		barriers_begin();
	}
	__syncthreads();
}

// copy_rows begins to copy ROWS rows of a head from row on, whose columns begin at column in the packed rows.
template <int ROWS, int W, typename Half>
static __device__ __forceinline__ void copy_rows(Half *to, const tensor_map *map, int64_t column, int row, int b,
	uint64_t *ready) {
	static_assert(ROWS == HOPPER_QUERIES && ROWS == KEYS);
	barrier_expect(ready, ROWS * W * 2);
#pragma unroll
	for (int panel = 0; panel < W / PANEL; panel++)
		load_box(to + panel * ROWS * PANEL, map, (int)column + panel * PANEL, row, b, ready);
}

// produce copies the queries, and keys and values by tiles as they are wanted.
template <int W, typename Half>
static __device__ __forceinline__ void produce(const hopper_room<Half> &room, const tensor_map *map, const attention_place &at,
	const attention_shape &s, int row, int tiles) {
	int64_t C = (int64_t)s.H * s.D, column = (int64_t)at.h * s.D;
	copy_rows<HOPPER_QUERIES, W>(room.q, map, column, row, at.b, room.q_ready);
	for (int i = 0; i < tiles; i++) {
		int stage = i % STAGES, parity = i / STAGES % 2 ^ 1;
		barrier_wait(room.k_free + stage, parity);
		copy_rows<KEYS, W>(room.k + stage * KEYS * W, map, C + column, i * KEYS, at.b, room.k_ready + stage);
		barrier_wait(room.v_free + stage, parity);
		copy_rows<KEYS, W>(room.v + stage * KEYS * W, map, 2 * C + column, i * KEYS, at.b, room.v_ready + stage);
	}
}

// begin_scores begins the products of 64 queries, from their first row on, with a tile of keys.
template <int W, typename Half>
static __device__ __forceinline__ void begin_scores(float (&scores)[KEYS / 8][4], const Half *q, const Half *k) {
	settle(scores);
	products_begin();
#pragma unroll
	for (int i = 0; i < W / 16; i++) {
		int panel = i / 4, column = i % 4 * 16;
		multiply_tiles<Half>(scores, swizzled_tile(q + panel * HOPPER_QUERIES * PANEL + column, 0),
			swizzled_tile(k + panel * KEYS * PANEL + column, 0), i > 0);
	}
	products_commit();
}

// begin_sums begins the products of probabilities with a tile of values.
template <int W, typename Half>
static __device__ __forceinline__ void begin_sums(float (&sums)[W / 8][4], const uint32_t (&p)[KEYS / 16][4], const Half *v) {
	settle(sums);
	products_begin();
#pragma unroll
	for (int i = 0; i < KEYS / 16; i++) multiply_weights<Half>(sums, p[i], swizzled_tile(v + i * 16 * PANEL, KEYS * PANEL * 2));
	products_commit();
}

static __device__ __forceinline__ void free_tile(uint64_t *barrier) {
	if (lane_of() == 0) barrier_arrive(barrier);
	__syncwarp();
}

// What a warp of a consumer knows: its head and dropout, its first query, and the softmax so far.
struct hopper_consumer {
	attention_place at;
	philox dropout;
	int mine;
	float unit;
	softmax_state<1> state;
};

// weigh turns the scores of a tile of keys into probabilities. shrink brings the sums to their new maximum.
static __device__ __forceinline__ void weigh(hopper_consumer &w, float (&shrink)[1][2], float (&scores)[1][KEYS / 8][4],
	int key, int T) {
	if (key + KEYS - 1 > w.mine) hide_later(scores, w.mine, key);
	soften(w.state, shrink, scores, w.unit);
	if (!w.dropout.threshold) return;
#pragma unroll
	for (int n = 0; n < KEYS / 8; n += 8) {
		uint32_t kept = kept_of_queries<8>(w.dropout, (uint64_t)(w.at.head * T + w.mine) * T + key + 8 * n, T);
#pragma unroll
		for (int i = 0; i < 8; i++)
#pragma unroll
			for (int e = 0; e < 4; e++)
				if (!(kept >> (4 * i + e) & 1)) scores[0][n + i][e] = 0;
	}
}

template <typename Half>
static __device__ __forceinline__ void round_weights(uint32_t (&p)[KEYS / 16][4], const float (&scores)[KEYS / 8][4]) {
#pragma unroll
	for (int i = 0; i < KEYS / 16; i++)
#pragma unroll
		for (int j = 0; j < 4; j++) p[i][j] = pair<Half>(scores[2 * i + j / 2][j % 2 * 2], scores[2 * i + j / 2][j % 2 * 2 + 1]);
}

// consume lets 64 queries see the tiles of keys as they come.
template <int W, typename Half>
static __device__ __forceinline__ void consume(hopper_consumer &w, const hopper_room<Half> &room,
	float (&sums)[1][W / 8][4], int tiles, int T) {
	const Half *q = room.q + (warp_of() / 4 - 1) * 64 * PANEL;
	float scores[1][KEYS / 8][4], shrink[1][2];
	uint32_t p[KEYS / 16][4];
	clear(scores);
	barrier_wait(room.q_ready, 0);
	barrier_wait(room.k_ready, 0);
	begin_scores<W>(scores[0], q, room.k);
	products_wait<0>();
	settle(scores[0]);
	free_tile(room.k_free);
	weigh(w, shrink, scores, 0, T);
	round_weights<Half>(p, scores[0]);
	for (int i = 1; i < tiles; i++) {
		int stage = i % STAGES, before = (i - 1) % STAGES;
		barrier_wait(room.k_ready + stage, i / STAGES % 2);
		begin_scores<W>(scores[0], q, room.k + stage * KEYS * W);
		barrier_wait(room.v_ready + before, (i - 1) / STAGES % 2);
		begin_sums<W>(sums[0], p, room.v + before * KEYS * W);
		products_wait<1>();
		settle(scores[0]);
		free_tile(room.k_free + stage);
		weigh(w, shrink, scores, i * KEYS, T);
		products_wait<0>();
		settle(sums[0]);
		free_tile(room.v_free + before);
		rescale(sums, shrink);
		round_weights<Half>(p, scores[0]);
	}
	int last = (tiles - 1) % STAGES;
	barrier_wait(room.v_ready + last, (tiles - 1) / STAGES % 2);
	begin_sums<W>(sums[0], p, room.v + last * KEYS * W);
	products_wait<0>();
	settle(sums[0]);
}

template <int W, typename Half>
static __device__ __forceinline__ void attention_hopper(const forward_call<Half> &c, const tensor_map *map) {
	SHARED(unsigned char, shared);
	const attention_shape &s = c.shape;
	attention_place at = place_of(s, HOPPER_QUERIES, true, c.lengths, c.fault, c.call);
	if (at.rows < 0) return;
	hopper_room<Half> room = hopper_room_at<W, Half>(shared);
	int row = at.first, end = row < at.rows ? min(row + HOPPER_QUERIES, at.rows) : 0, tiles = (end + KEYS - 1) / KEYS;
	begin_barriers(room);
	if (warp_of() < 4) {
		give_registers<24>();
		if (threadIdx.x == 0 && tiles) produce<W>(room, map, at, s, row, tiles);
		return;
	}
	take_registers<240>();
	hopper_consumer w = {at, dropout_of(c.seed, s), row + (warp_of() - 4) * 16, s.scale * LOG2E, {}};
	float sums[1][W / 8][4];
	clear(sums);
	begin(w.state);
	if (tiles) consume<W>(w, room, sums, tiles, s.T);
	threads_barrier(1, CONSUMERS); // outputs pass through the queries, and these were read by all
	finish<W>(c, at, room.q + (w.mine - row) * W, sums, w.state, w.dropout.scale, w.mine);
}

#define HOPPER_BODY(W, Half) \
	attention_hopper<W>(forward_call<Half>{out, lse, nullptr, nullptr, nullptr, lengths, nullptr, seed, shape, fault, call}, &qkv)

#else

// No launcher starts these.
#define HOPPER_BODY(W, Half)

#endif

#define HOPPER(suffix, Half, W)                                                                               \
	extern "C" __global__ __launch_bounds__(HOPPER_THREADS, 1) void attention_hopper_##W##_##suffix(Half *out, float *lse, \
		const __grid_constant__ tensor_map qkv, const int32_t *lengths, const int32_t *seed, attention_shape shape, \
		fault_record *fault, int call) {                                                                        \
		HOPPER_BODY(W, Half);                                                                                    \
	}                                                                                                          \
	KERNEL(attention_hopper_##W##_##suffix)

HOPPER(bf16, __nv_bfloat16, 64)
HOPPER(bf16, __nv_bfloat16, 128)
HOPPER(f16, __half, 64)
HOPPER(f16, __half, 128)
