// The second kernel of the gradient of attention on sm_90a: a block owns keys and values, and sums dk and dv over the tiles of queries
// and dout from their first row on. Scores have keys as rows, so that they multiply those tiles as they lie in registers.
#include "attention_hopper_backward.cuh"

#if HAS_HOPPER

// What a thread brings to the owner's next tile: lse of a query as a power of two, infinite for padding, and delta.
struct query_statistics {
	float lse, delta;
};

template <typename Half>
static __device__ __forceinline__ query_statistics statistics_of(const gradient_call<Half> &c, const attention_place &at, int tile) {
	int t = tile * TILE + threadIdx.x % GROUP;
	if (t >= at.rows) return {INFINITY, 0};
	int64_t index = at.head * c.shape.T + t;
	return {c.lse[index] * LOG2E, c.delta[index]};
}

// exponentiate turns scores into probabilities. A thread has two neighbouring queries of each eight.
static __device__ __forceinline__ void exponentiate(float (&scores)[TILE / 8][4], const float *lse, float unit) {
#pragma unroll
	for (int n = 0; n < TILE / 8; n++) {
		float2 two = *(const float2 *)(lse + 8 * n + lane_of() % 4 * 2);
#pragma unroll
		for (int e = 0; e < 4; e++) scores[n][e] = exp2_flushed(fmaf(scores[n][e], unit, e % 2 ? -two.y : -two.x));
	}
}

// differ turns dout·v into ds, given the probabilities.
static __device__ __forceinline__ void differ(float (&ds)[TILE / 8][4], const float (&p)[TILE / 8][4], const float *delta) {
#pragma unroll
	for (int n = 0; n < TILE / 8; n++) {
		float2 two = *(const float2 *)(delta + 8 * n + lane_of() % 4 * 2);
#pragma unroll
		for (int e = 0; e < 4; e++) ds[n][e] = p[n][e] * (ds[n][e] - (e % 2 ? two.y : two.x));
	}
}

// The sums of an owner.
struct key_sums {
	float dk[1][WIDTH / 8][4], dv[1][WIDTH / 8][4];
};

// add_tile adds what the tile of queries at stage gives; masked: some of the queries are before some of the keys.
template <typename Half>
static __device__ __forceinline__ void add_tile(key_sums &sums, const Half *keys, const Half *queries, const float *lse, float unit,
	bool masked, const hopper_owner &owner) {
	const Half *values = keys + TILE_HALVES, *douts = queries + TILE_HALVES;
	float scores[1][TILE / 8][4], ds[TILE / 8][4];
	uint32_t p[TILE / 16][4], weights[TILE / 16][4];
	begin_scores<WIDTH>(scores[0], keys, queries);
	begin_scores<WIDTH>(ds, values, douts);
	products_wait<1>();
	settle(scores[0]);
	if (masked) hide_earlier(scores, owner.row, 0);
	exponentiate(scores[0], lse, unit);
	round_weights<Half>(p, scores[0]);
	begin_sums<WIDTH>(sums.dv[0], p, douts);
	products_wait<1>();
	settle(ds);
	differ(ds, scores[0], lse + TILE);
	round_weights<Half>(weights, ds);
	begin_sums<WIDTH>(sums.dk[0], weights, queries);
	products_wait<0>();
	settle(sums.dv[0]);
	settle(sums.dk[0]);
}

// sum_keys sums over the tiles of a part, the n-th of the block being the first of them.
template <typename Half>
static __device__ __forceinline__ void sum_keys(key_sums &sums, const gradient_call<Half> &c, const attention_place &at,
	const gradient_room<Half> &room, const Half *own, const hopper_part &part, const hopper_owner &owner, int n) {
	const Half *keys = own + owner.group * 64 * PANEL;
	query_statistics next = statistics_of(c, at, part.begin);
	for (int tile = part.begin; tile < part.end; tile++, n++) {
		int stage = n % STAGES;
		float *lse = room.statistics + (owner.group * 2 + n % 2) * 2 * TILE;
		lse[threadIdx.x % GROUP] = next.lse, lse[TILE + threadIdx.x % GROUP] = next.delta;
		if (tile + 1 < part.end) next = statistics_of(c, at, tile + 1);
		group_barrier(owner);
		barrier_wait(room.ready + stage, n / STAGES % 2);
		add_tile(sums, keys, room.passing + 2 * stage * TILE_HALVES, lse, c.shape.scale * LOG2E, tile == part.tile, owner);
		free_tile(room.released + stage);
	}
}

template <typename Half> static __device__ __forceinline__ void hopper_keys(const gradient_call<Half> &c, const tensor_map *qkv,
	const tensor_map *dout) {
	run_gradient<true>(c, qkv, dout, [&](const gradient_room<Half> &room, const attention_place &at) {
		const attention_shape &s = c.shape;
		hopper_owner owner = owner_of();
		for (int i = 0, n = 0; i < count_of(at, s.T); i++) {
			hopper_part part = part_of<true>(at, s.T, i);
			Half *own = room.own + 2 * i * TILE_HALVES;
			key_sums sums;
			clear(sums.dk), clear(sums.dv);
			if (part.begin < part.end) barrier_wait(room.own_ready + i, 0);
			sum_keys(sums, c, at, room, own, part, owner, n);
			n += part.end - part.begin;
			group_barrier(owner); // the tiles of keys and values were read by all of the owner
			put_sums(third(c.dqkv, s, at, 1), own, sums.dk, s.scale, owner, part.tile * TILE, s);
			put_sums(third(c.dqkv, s, at, 2), own + TILE_HALVES, sums.dv, 1, owner, part.tile * TILE, s);
		}
	});
}

#define BODY(Half) hopper_keys<Half>({dqkv, dout_rows, nullptr, out, lse, delta, lengths, nullptr, shape, fault, call}, &qkv, &dout);

#else

// No launcher starts these.
#define BODY(Half)

#endif

HOPPER_GRADIENT(attention_hopper_keys_64, bf16, __nv_bfloat16, BODY)
HOPPER_GRADIENT(attention_hopper_keys_64, f16, __half, BODY)
