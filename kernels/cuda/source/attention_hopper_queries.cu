// The first kernel of the gradient of attention on sm_90a: a block owns queries and their dout, and sums dq over the tiles of keys and
// values before them. It makes delta for itself and for the second kernel.
#include "attention_hopper_backward.cuh"

#if HAS_HOPPER

// What a thread knows of its two rows: lse as a power of two, infinite for padding, and delta.
struct row_statistics {
	float lse[2], delta[2];
};

// find_statistics reads lse and makes delta of a warp's 16 rows from row on, four threads a row.
template <typename Half>
static __device__ __forceinline__ void find_statistics(row_statistics &known, const gradient_call<Half> &c, const attention_place &at,
	int row) {
	head_rows<const Half> out = output_rows(c.out, c.shape, at), dout = output_rows(c.dout, c.shape, at);
#pragma unroll
	for (int r = 0; r < 2; r++) {
		int t = row + 8 * r + lane_of() / 4;
		float sum = 0;
#pragma unroll
		for (int chunk = lane_of() % 4; chunk < WIDTH / 8; chunk += 4) {
			if (t >= at.rows) continue;
			pack<Half> x = *(const pack<Half> *)(out.start + t * out.stride + 8 * chunk);
			pack<Half> y = *(const pack<Half> *)(dout.start + t * dout.stride + 8 * chunk);
#pragma unroll
			for (int j = 0; j < 8; j++) sum = fmaf(widen(x.at[j]), widen(y.at[j]), sum);
		}
		known.delta[r] = quad_sum(sum);
		known.lse[r] = t < at.rows ? c.lse[at.head * c.shape.T + t] * LOG2E : INFINITY;
		if (lane_of() % 4 == 0 && t < at.rows) c.delta[at.head * c.shape.T + t] = known.delta[r];
	}
}

static __device__ __forceinline__ void exponentiate(float (&scores)[TILE / 8][4], const row_statistics &known, float unit) {
#pragma unroll
	for (int n = 0; n < TILE / 8; n++)
#pragma unroll
		for (int e = 0; e < 4; e++) scores[n][e] = exp2_flushed(fmaf(scores[n][e], unit, -known.lse[e / 2]));
}

// differ turns dout·v into ds, given the probabilities.
static __device__ __forceinline__ void differ(float (&ds)[TILE / 8][4], const float (&p)[TILE / 8][4], const row_statistics &known) {
#pragma unroll
	for (int n = 0; n < TILE / 8; n++)
#pragma unroll
		for (int e = 0; e < 4; e++) ds[n][e] = p[n][e] * (ds[n][e] - known.delta[e / 2]);
}

// An owner's share of a tile of queries: the sums so far, and ds of the tile of keys that was the last, as it meets these keys.
struct query_sums {
	float dq[1][WIDTH / 8][4];
	uint32_t ds[TILE / 16][4];
};

// passing is where the n-th tile of the block lies.
template <typename Half> static __device__ __forceinline__ const Half *passing(const gradient_room<Half> &room, int n) {
	return room.passing + 2 * (n % STAGES) * TILE_HALVES;
}

// add_before begins to add what the tile before the n-th gives.
template <typename Half>
static __device__ __forceinline__ void add_before(query_sums &sums, const gradient_room<Half> &room, int n) {
	begin_sums<WIDTH>(sums.dq[0], sums.ds, passing(room, n + STAGES - 1));
}

// see_tile makes ds of the n-th tile, while what the one before it gives is added. There is none before the first: an if around products
// would have the compiler wait for each.
template <bool first, typename Half>
static __device__ __forceinline__ void see_tile(query_sums &sums, const gradient_room<Half> &room, const Half *q,
	const row_statistics &known, float unit, int query, int key, int n) {
	float scores[1][TILE / 8][4], ds[TILE / 8][4];
	barrier_wait(room.ready + n % STAGES, n / STAGES % 2);
	begin_scores<WIDTH>(scores[0], q, passing(room, n));
	begin_scores<WIDTH>(ds, q + TILE_HALVES, passing(room, n) + TILE_HALVES);
	if constexpr (!first) add_before(sums, room, n);
	products_wait<first ? 1 : 2>();
	settle(scores[0]);
	if (key + TILE - 1 > query) hide_later(scores, query, key);
	exponentiate(scores[0], known, unit);
	products_wait<first ? 0 : 1>();
	settle(ds);
	differ(ds, scores[0], known);
	if constexpr (!first) {
		products_wait<0>();
		settle(sums.dq[0]);
		free_tile(room.released + (n + STAGES - 1) % STAGES);
	}
	round_weights<Half>(sums.ds, ds);
}

// sum_queries sums dq of an owner's queries over the tiles of a part, the n-th of the block being the first of them.
template <typename Half>
static __device__ __forceinline__ void sum_queries(query_sums &sums, const gradient_room<Half> &room, const Half *own,
	const row_statistics &known, float unit, const hopper_part &part, const hopper_owner &owner, int n) {
	const Half *q = own + owner.group * 64 * PANEL;
	int query = part.tile * TILE + owner.row;
	see_tile<true>(sums, room, q, known, unit, query, part.begin * TILE, n++);
	for (int tile = part.begin + 1; tile < part.end; tile++, n++) see_tile<false>(sums, room, q, known, unit, query, tile * TILE, n);
	add_before(sums, room, n);
	products_wait<0>();
	settle(sums.dq[0]);
	free_tile(room.released + (n + STAGES - 1) % STAGES);
}

template <typename Half> static __device__ __forceinline__ void hopper_queries(const gradient_call<Half> &c, const tensor_map *qkv,
	const tensor_map *dout) {
	run_gradient<false>(c, qkv, dout, [&](const gradient_room<Half> &room, const attention_place &at, const own_part<Half> &mine) {
		const attention_shape &s = c.shape;
		hopper_owner owner = owner_of();
		query_sums sums;
		row_statistics known;
		clear(sums.dq);
		find_statistics(known, c, at, mine.part.tile * TILE + owner.row);
		if (mine.part.begin < mine.part.end) {
			barrier_wait(mine.ready, 0);
			sum_queries(sums, room, mine.own, known, s.scale * LOG2E, mine.part, owner, mine.n);
		}
		group_barrier(owner); // the tile of queries was read by all of the owner
		put_sums(third(c.dqkv, s, at, 0), mine.own, sums.dq, s.scale, owner, mine.part.tile * TILE, s);
	});
}

#define BODY(Half) hopper_queries<Half>({dqkv, dout_rows, nullptr, out, lse, delta, lengths, nullptr, shape, fault, call}, &qkv, &dout);

#else

// No launcher starts these.
#define BODY(Half)

#endif

HOPPER_GRADIENT(attention_hopper_queries_64, bf16, __nv_bfloat16, BODY)
HOPPER_GRADIENT(attention_hopper_queries_64, f16, __half, BODY)
