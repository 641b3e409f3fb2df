// The gradient of attention on sm_90a for heads of 64: the two kernels of attention_backward.cuh, their products by warpgroups. One
// warpgroup of three has a thread copy; the others own 64 rows each of a tile of 128, queries with their dout in one kernel, keys with
// their values in the other, and tiles of the other kind pass by, two at a time. Nothing passes between the two owners, so that the
// tensor cores work for one while the other turns scores into weights.
#pragma once

#include "attention_backward.cuh"
#include "attention_hopper.cuh"

#if HAS_HOPPER

enum { WIDTH = 64, TILE_HALVES = TILE * WIDTH };

// Shared memory: the pairs of tiles that are owned, those that pass by, and lse and delta of the latter for each of the two owners.
template <typename Half> struct gradient_room {
	Half *own, *passing;                    // [2][2][TILE_HALVES] by pair; [STAGES][2][TILE_HALVES]
	float *statistics;                      // [2][2][2][TILE]: owners, turns, lse and delta
	uint64_t *own_ready, *ready, *released; // [2], [STAGES], [STAGES]
};

template <typename Half> static __device__ __forceinline__ gradient_room<Half> gradient_room_at(unsigned char *shared) {
	gradient_room<Half> room;
	room.own = (Half *)(shared + (1024 - (shared_address(shared) & 1023)) % 1024); // a swizzle begins there
	room.passing = room.own + 4 * TILE_HALVES;
	room.statistics = (float *)(room.passing + 2 * STAGES * TILE_HALVES);
	room.own_ready = (uint64_t *)(room.statistics + 8 * TILE);
	room.ready = room.own_ready + 2, room.released = room.ready + STAGES;
	return room;
}

template <typename Half> static __device__ __forceinline__ void begin_barriers(const gradient_room<Half> &room) {
	if (threadIdx.x == 0) {
		for (int i = 0; i < 2; i++) barrier_init(room.own_ready + i, 2);
		for (int i = 0; i < STAGES; i++) barrier_init(room.ready + i, 2), barrier_init(room.released + i, 2 * GROUP / 32);
		barriers_begin();
	}
	__syncthreads();
}

// copy_pair begins to copy the same rows of two tensors, the first of them from column on.
template <typename Half>
static __device__ __forceinline__ void copy_pair(Half *to, const tensor_map *first, int64_t column, const tensor_map *second,
	int64_t second_column, int tile, int b, uint64_t *ready) {
	copy_rows<WIDTH>(to, first, column, tile * TILE, b, ready);
	copy_rows<WIDTH>(to + TILE_HALVES, second, second_column, tile * TILE, b, ready);
}

// produce copies what is owned, and what passes by as it is wanted.
template <bool keys, typename Half>
static __device__ __forceinline__ void produce(const gradient_room<Half> &room, const tensor_map *qkv, const tensor_map *dout,
	const attention_place &at, const attention_shape &s) {
	int64_t C = (int64_t)s.H * s.D, column = (int64_t)at.h * s.D;
	for (int part = 0, n = 0; part < count_of(at, s.T); part++) {
		hopper_part p = part_of<keys>(at, s.T, part);
		if (p.begin >= p.end) continue;
		Half *own = room.own + 2 * part * TILE_HALVES;
		if (keys)
			copy_pair(own, qkv, C + column, qkv, 2 * C + column, p.tile, at.b, room.own_ready + part);
		else
			copy_pair(own, qkv, column, dout, column, p.tile, at.b, room.own_ready + part);
		for (int tile = p.begin; tile < p.end; tile++, n++) {
			int stage = n % STAGES;
			Half *to = room.passing + 2 * stage * TILE_HALVES;
			barrier_wait(room.released + stage, n / STAGES % 2 ^ 1);
			if (keys)
				copy_pair(to, qkv, column, dout, column, tile, at.b, room.ready + stage);
			else
				copy_pair(to, qkv, C + column, qkv, 2 * C + column, tile, at.b, room.ready + stage);
		}
	}
}

// put_sums writes an owner's sums, times factor, as rows of a head. They pass through its rows of a tile that it has read.
template <typename Half>
static __device__ __forceinline__ void put_sums(head_rows<Half> to, Half *tile, const float (&sums)[1][WIDTH / 8][4], float factor,
	const hopper_owner &owner, int first, const attention_shape &s) {
	const float factors[1][2] = {{factor, factor}};
	put_rows<WIDTH>(to, tile + owner.row * WIDTH, sums, factors, first + owner.row, s);
}

// A part of a block as its owners find it: its own pair of tiles, the barrier that tells of them, and which of the tiles that pass by is its
// first.
template <typename Half> struct own_part {
	hopper_part part;
	Half *own;
	uint64_t *ready;
	int n;
};

// run_gradient has the first warpgroup copy, and the others work for each part of the block.
template <bool keys, typename Half, typename Work>
static __device__ __forceinline__ void run_gradient(const gradient_call<Half> &c, const tensor_map *qkv, const tensor_map *dout, Work work) {
	SHARED(unsigned char, shared);
	attention_place at = place_of(c.shape, 2 * TILE, false, c.lengths, c.fault, c.call);
	if (at.rows < 0) return;
	gradient_room<Half> room = gradient_room_at<Half>(shared);
	begin_barriers(room);
	if (warp_of() < 4) {
		give_registers<24>();
		if (threadIdx.x == 0) produce<keys>(room, qkv, dout, at, c.shape);
		return;
	}
	take_registers<240>();
	for (int i = 0, n = 0; i < count_of(at, c.shape.T); i++) {
		own_part<Half> mine = {part_of<keys>(at, c.shape.T, i), room.own + 2 * i * TILE_HALVES, room.own_ready + i, n};
		work(room, at, mine);
		n += mine.part.end - mine.part.begin;
	}
}

#endif

#define HOPPER_GRADIENT(name, suffix, Half, BODY)                                                              \
	extern "C" __global__ __launch_bounds__(HOPPER_THREADS, 1) void name##_##suffix(Half *dqkv,                  \
		const __grid_constant__ tensor_map dout, const __grid_constant__ tensor_map qkv, const Half *dout_rows,    \
		const Half *out, const float *lse, float *delta, const int32_t *lengths, attention_shape shape, fault_record *fault, \
		int call) {                                                                                               \
		BODY(Half)                                                                                                \
	}                                                                                                           \
	KERNEL(name##_##suffix)
