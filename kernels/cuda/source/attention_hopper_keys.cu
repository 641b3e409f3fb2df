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

// Queries pass by in halves of their tiles, so that there are registers for what is under way of two.
static constexpr int STEP = 64, STEPS = TILE / STEP;

// exponentiate turns scores into probabilities. A thread has two neighbouring queries of each eight.
static __device__ __forceinline__ void exponentiate(float (&scores)[STEP / 8][4], const float *lse, float unit) {
#pragma unroll
	for (int n = 0; n < STEP / 8; n++) {
		float2 two = *(const float2 *)(lse + 8 * n + lane_of() % 4 * 2);
#pragma unroll
		for (int e = 0; e < 4; e++) scores[n][e] = exp2_flushed(fmaf(scores[n][e], unit, e % 2 ? -two.y : -two.x));
	}
}

// differ turns dout·v into ds, given the probabilities.
static __device__ __forceinline__ void differ(float (&ds)[STEP / 8][4], const float (&p)[STEP / 8][4], const float *delta) {
#pragma unroll
	for (int n = 0; n < STEP / 8; n++) {
		float2 two = *(const float2 *)(delta + 8 * n + lane_of() % 4 * 2);
#pragma unroll
		for (int e = 0; e < 4; e++) ds[n][e] = p[n][e] * (ds[n][e] - (e % 2 ? two.y : two.x));
	}
}

// An owner's share of a tile of keys and values: the sums so far, and what the last step gave, as it meets queries and dout.
struct key_sums {
	float dk[1][WIDTH / 8][4], dv[1][WIDTH / 8][4];
	uint32_t p[STEP / 16][4], ds[STEP / 16][4];
};

// queries_of is where the queries of a step lie, and TILE_HALVES behind them their dout. Steps count from the block's first tile on.
template <typename Half> static __device__ __forceinline__ const Half *queries_of(const gradient_room<Half> &room, int step) {
	return room.passing + 2 * (step / STEPS % STAGES) * TILE_HALVES + step % STEPS * STEP * PANEL;
}

// put_statistics brings lse and delta of the n-th tile to where the owner finds them, and gives that place.
template <typename Half>
static __device__ __forceinline__ const float *put_statistics(const gradient_room<Half> &room, const hopper_owner &owner,
	const query_statistics &mine, int n) {
	float *lse = room.statistics + (owner.group * 2 + n % 2) * 2 * TILE;
	lse[threadIdx.x % GROUP] = mine.lse, lse[TILE + threadIdx.x % GROUP] = mine.delta;
	group_barrier(owner);
	return lse;
}

// add_before begins to add what the step before gave.
template <typename Half> static __device__ __forceinline__ void add_before(key_sums &sums, const gradient_room<Half> &room, int step) {
	begin_sums<WIDTH>(sums.dv[0], sums.p, queries_of(room, step - 1) + TILE_HALVES);
	begin_sums<WIDTH>(sums.dk[0], sums.ds, queries_of(room, step - 1));
}

// end_before waits for that, when nothing else is under way.
static __device__ __forceinline__ void end_before(key_sums &sums) {
	products_wait<0>();
	settle(sums.dv[0]);
	settle(sums.dk[0]);
}

// see_queries makes p and ds of a step, while what the one before it gave is added. There is none before the first: an if around products
// would have the compiler wait for each. mine is the owner's first key and query the step's first query in the tile, where some queries
// are before some keys, else query is behind all keys.
template <bool first, typename Half>
static __device__ __forceinline__ void see_queries(key_sums &sums, const gradient_room<Half> &room, const Half *keys, const float *lse,
	float unit, int mine, int query, int step) {
	float scores[1][STEP / 8][4], ds[STEP / 8][4];
	uint32_t p[STEP / 16][4];
	const Half *queries = queries_of(room, step);
	begin_scores<WIDTH>(scores[0], keys, queries);
	begin_scores<WIDTH>(ds, keys + TILE_HALVES, queries + TILE_HALVES);
	if constexpr (!first) add_before(sums, room, step);
	products_wait<first ? 1 : 3>();
	settle(scores[0]);
	if (query < mine + 15) hide_earlier(scores, mine, query);
	exponentiate(scores[0], lse, unit);
	round_weights<Half>(p, scores[0]);
	products_wait<first ? 0 : 2>();
	settle(ds);
	differ(ds, scores[0], lse + TILE);
	if constexpr (!first) end_before(sums);
#pragma unroll
	for (int i = 0; i < STEP / 16; i++)
#pragma unroll
		for (int j = 0; j < 4; j++) sums.p[i][j] = p[i][j];
	round_weights<Half>(sums.ds, ds);
}

// see_tile is the steps of the n-th tile. It may be overwritten when the first of the next is done.
template <bool first, typename Half>
static __device__ __forceinline__ void see_tile(key_sums &sums, const gradient_room<Half> &room, const Half *keys, const float *lse,
	float unit, int mine, int n) {
	barrier_wait(room.ready + n % STAGES, n / STAGES % 2);
	see_queries<first>(sums, room, keys, lse, unit, mine, first ? 0 : TILE, n * STEPS);
	if (!first) free_tile(room.released + (n + STAGES - 1) % STAGES);
	see_queries<false>(sums, room, keys, lse + STEP, unit, mine, first ? STEP : TILE, n * STEPS + 1);
}

// sum_keys sums over the tiles of a part, the n-th of the block being the first of them: that of the keys themselves.
template <typename Half>
static __device__ __forceinline__ void sum_keys(key_sums &sums, const gradient_call<Half> &c, const attention_place &at,
	const gradient_room<Half> &room, const Half *own, const hopper_part &part, const hopper_owner &owner, int n) {
	const Half *keys = own + owner.group * 64 * PANEL;
	float unit = c.shape.scale * LOG2E;
	const float *lse = put_statistics(room, owner, statistics_of(c, at, part.begin), n);
	query_statistics next = statistics_of(c, at, part.begin + 1);
	see_tile<true>(sums, room, keys, lse, unit, owner.row, n++);
	for (int tile = part.begin + 1; tile < part.end; tile++, n++) {
		lse = put_statistics(room, owner, next, n);
		next = statistics_of(c, at, tile + 1);
		see_tile<false>(sums, room, keys, lse, unit, owner.row, n);
	}
	add_before(sums, room, n * STEPS);
	end_before(sums);
	free_tile(room.released + (n + STAGES - 1) % STAGES);
}

template <typename Half> static __device__ __forceinline__ void hopper_keys(const gradient_call<Half> &c, const tensor_map *qkv,
	const tensor_map *dout) {
	run_gradient<true>(c, qkv, dout, [&](const gradient_room<Half> &room, const attention_place &at, const own_part<Half> &mine) {
		const attention_shape &s = c.shape;
		hopper_owner owner = owner_of();
		key_sums sums;
		clear(sums.dk), clear(sums.dv);
		if (mine.part.begin < mine.part.end) {
			barrier_wait(mine.ready, 0);
			sum_keys(sums, c, at, room, mine.own, mine.part, owner, mine.n);
		}
		group_barrier(owner); // the tiles of keys and values were read by all of the owner
		put_sums(third(c.dqkv, s, at, 1), mine.own, sums.dk, s.scale, owner, mine.part.tile * TILE, s);
		put_sums(third(c.dqkv, s, at, 2), mine.own + TILE_HALVES, sums.dv, 1, owner, mine.part.tile * TILE, s);
	});
}

#define BODY(Half) hopper_keys<Half>({dqkv, dout_rows, nullptr, out, lse, delta, lengths, nullptr, shape, fault, call}, &qkv, &dout);

#else

// No launcher starts these.
#define BODY(Half)

#endif

HOPPER_GRADIENT(attention_hopper_keys_64, bf16, __nv_bfloat16, BODY)
HOPPER_GRADIENT(attention_hopper_keys_64, f16, __half, BODY)
