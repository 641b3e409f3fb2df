// Causal attention for heads of 64 and 128 in half precision on sm_90a, after Shah et al., "FlashAttention-3" (2024). Of three
// warpgroups the first has one thread copy tiles of keys and values, two of each ahead, and the others own 64 queries each.
// While one of these turns scores into probabilities, the tensor cores work for the other; and within one, the values of a tile
// are summed while the scores of the next become probabilities.
#include "attention_forward.cuh"
#include "attention_hopper.cuh"

#if HAS_HOPPER

// Shared memory: tiles in panels of 64 columns, and barriers: tiles are there, and may be overwritten.
template <typename Half> struct hopper_room {
	Half *q, *k, *v; // q: one tile after the other
	uint64_t *q_ready, *k_ready, *k_free, *v_ready, *v_free;
};

template <int W, typename Half> static __device__ __forceinline__ hopper_room<Half> hopper_room_at(unsigned char *shared) {
	unsigned char *at = shared + (1024 - (shared_address(shared) & 1023)) % 1024; // a swizzle begins there
	hopper_room<Half> room;
	room.q = (Half *)at;
	room.k = room.q + 2 * TILE * W;
	room.v = room.k + STAGES * TILE * W;
	room.q_ready = (uint64_t *)(room.v + STAGES * TILE * W);
	room.k_ready = room.q_ready + 2, room.k_free = room.k_ready + STAGES;
	room.v_ready = room.k_free + STAGES, room.v_free = room.v_ready + STAGES;
	return room;
}

template <typename Half> static __device__ __forceinline__ void begin_barriers(const hopper_room<Half> &room) {
	if (threadIdx.x == 0) {
		for (int i = 0; i < 2; i++) barrier_init(room.q_ready + i, 1);
		for (int i = 0; i < STAGES; i++) {
			barrier_init(room.k_ready + i, 1), barrier_init(room.k_free + i, OWNERS * GROUP / 32);
			barrier_init(room.v_ready + i, 1), barrier_init(room.v_free + i, OWNERS * GROUP / 32);
		}
		barriers_begin();
	}
	__syncthreads();
}

// produce copies the queries, and keys and values by tiles as they are wanted.
template <int W, typename Half>
static __device__ __forceinline__ void produce(const hopper_room<Half> &room, const tensor_map *map, const attention_place &at,
	const attention_shape &s) {
	int64_t C = (int64_t)s.H * s.D, column = (int64_t)at.h * s.D;
	for (int i = 0, n = 0; i < count_of(at, s.T); i++) {
		hopper_part part = part_of<false>(at, s.T, i);
		if (part.end) copy_rows<W>(room.q + i * TILE * W, map, column, part.tile * TILE, at.b, room.q_ready + i);
		for (int tile = 0; tile < part.end; tile++, n++) {
			int stage = n % STAGES, parity = n / STAGES % 2 ^ 1;
			barrier_wait(room.k_free + stage, parity);
			copy_rows<W>(room.k + stage * TILE * W, map, C + column, tile * TILE, at.b, room.k_ready + stage);
			barrier_wait(room.v_free + stage, parity);
			copy_rows<W>(room.v + stage * TILE * W, map, 2 * C + column, tile * TILE, at.b, room.v_ready + stage);
		}
	}
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
static __device__ __forceinline__ void weigh(hopper_consumer &w, float (&shrink)[1][2], float (&scores)[1][TILE / 8][4],
	int key, int T) {
	if (key + TILE - 1 > w.mine) hide_later(scores, w.mine, key);
	soften(w.state, shrink, scores, w.unit);
	if (!w.dropout.threshold) return;
#pragma unroll
	for (int n = 0; n < TILE / 8; n += 8) {
		uint32_t kept = kept_of_queries<8>(w.dropout, (uint64_t)(w.at.head * T + w.mine) * T + key + 8 * n, T);
#pragma unroll
		for (int i = 0; i < 8; i++)
#pragma unroll
			for (int e = 0; e < 4; e++)
				if (!(kept >> (4 * i + e) & 1)) scores[0][n + i][e] = 0;
	}
}

// consume lets an owner's queries see the tiles of keys as they come, the n-th of the block being the first of them.
template <int W, typename Half>
static __device__ __forceinline__ void consume(hopper_consumer &w, const hopper_room<Half> &room, const Half *q,
	float (&sums)[1][W / 8][4], int tiles, int n, int T) {
	float scores[1][TILE / 8][4], shrink[1][2];
	uint32_t p[TILE / 16][4];
	clear(scores);
	for (int i = 0; i < tiles; i++, n++) {
		int stage = n % STAGES, before = (n + STAGES - 1) % STAGES;
		barrier_wait(room.k_ready + stage, n / STAGES % 2);
		begin_scores<W>(scores[0], q, room.k + stage * TILE * W);
		if (i) {
			barrier_wait(room.v_ready + before, (n - 1) / STAGES % 2);
			begin_sums<W>(sums[0], p, room.v + before * TILE * W);
			products_wait<1>();
		} else {
			products_wait<0>();
		}
		settle(scores[0]);
		free_tile(room.k_free + stage);
		weigh(w, shrink, scores, i * TILE, T);
		if (i) {
			products_wait<0>();
			settle(sums[0]);
			free_tile(room.v_free + before);
			rescale(sums, shrink);
		}
		round_weights<Half>(p, scores[0]);
	}
	int last = (n - 1) % STAGES;
	barrier_wait(room.v_ready + last, (n - 1) / STAGES % 2);
	begin_sums<W>(sums[0], p, room.v + last * TILE * W);
	products_wait<0>();
	settle(sums[0]);
	free_tile(room.v_free + last);
}

template <int W, typename Half>
static __device__ __forceinline__ void attention_hopper(const forward_call<Half> &c, const tensor_map *map) {
	SHARED(unsigned char, shared);
	const attention_shape &s = c.shape;
	attention_place at = place_of(s, 2 * TILE, false, c.lengths, c.fault, c.call);
	if (at.rows < 0) return;
	hopper_room<Half> room = hopper_room_at<W, Half>(shared);
	begin_barriers(room);
	if (warp_of() < 4) {
		give_registers<24>();
		if (threadIdx.x == 0) produce<W>(room, map, at, s);
		return;
	}
	take_registers<240>();
	hopper_owner owner = owner_of();
	hopper_consumer w = {at, dropout_of(c.seed, s), 0, s.scale * LOG2E, {}};
	for (int i = 0, n = 0; i < count_of(at, s.T); i++) {
		hopper_part part = part_of<false>(at, s.T, i);
		Half *q = room.q + i * TILE * W;
		float sums[1][W / 8][4];
		clear(sums);
		begin(w.state);
		w.mine = part.tile * TILE + owner.row;
		if (part.end) {
			barrier_wait(room.q_ready + i, 0);
			consume<W>(w, room, q + owner.group * 64 * PANEL, sums, part.end, n, s.T);
		}
		n += part.end;
		// Outputs pass through the queries, where rows of 128 lie over those of both owners: these were read by all.
		if (W > PANEL) threads_barrier(1 + OWNERS, OWNERS * GROUP);
		else group_barrier(owner);
		finish<W>(c, at, q + owner.row * W, sums, w.state, w.dropout.scale, w.mine);
	}
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
