// The plan of a product: its output cut into chunks, its depth into blocks, and the memory of the workers.
#ifndef ATOLL_GEMM_PLAN_H
#define ATOLL_GEMM_PLAN_H

#include "gemm.h"

// KC steps of depth: a panel of b (16 KB with AVX2) stays in the first cache while it meets all rows of the chunk. A step is
// one value of k, or two where bf16 is packed in words. For AMX the second cache is near enough, and sums go there and back less often; of
// parts, which are six bytes a value, less fits: PARTS_STAY elements of the side of a chunk that stays, at the depth of a block.
enum { KC = 256, AMX_KC = 512, PARTS_KC = 384, PARTS_ONLY = 512, ROWS = VL == 16 ? 504 : 264, AMX_STAY = 512, PARTS_STAY = 384, COLUMNS = 1024 / NR * NR };

// steps_of is the whole depth in steps, and most_steps how many of them a block has at most.
static int64_t steps_of(const gemm *g) { return pieces(g->a.depth, per_step(g->precision)); }
static int64_t most_steps(const gemm *g) { return in_parts(g) ? PARTS_KC : by_amx(g) ? AMX_KC : KC; }

// block_steps is how many steps a block has. Those of parts are even, since a short one fetches and stores as many sums as another, and a depth
// that is a little more than one of them is not cut: no sums want the cache then.
static int64_t block_steps(const gemm *g) {
	const int64_t most = most_steps(g);
#ifdef NATIVE_AMX
	const int64_t steps = larger(1, steps_of(g)), blocks = steps <= PARTS_ONLY ? 1 : pieces(steps, most);
	if (in_parts(g)) return pieces(pieces(steps, blocks), PART_DEPTH) * PART_DEPTH;
#endif
	return most;
}

// What it costs to pack a value, counted in multiply-adds of the tile. For AMX columns count four times, packed before or not: they come
// from memory, where rows were just written; of parts a multiply-add is six of them, and neither side is a copy.
enum { PACKING = 8, AMX_PACKING = 64, AMX_COLUMNS = 4 * AMX_PACKING, PARTS_PACKING = 64 };

// packing_cost is that of the largest chunk, for each value of the depth.
static int64_t packing_cost(const gemm *g) {
	if (in_parts(g)) return PARTS_PACKING * (g->rows + g->columns);
	if (by_amx(g)) return AMX_PACKING * g->rows + AMX_COLUMNS * g->columns;
	return PACKING * (g->packed.words ? g->rows : g->rows + g->columns);
}

// gemm_cut cuts the output into about row_chunks by column_chunks, and is the work of whoever gets the most of them.
static int64_t gemm_cut(gemm *g, int64_t row_chunks, int64_t column_chunks) {
	g->down = even_side(g->a.count, height_of(g), row_chunks);
	g->across = even_side(g->b.count, NR, column_chunks);
	g->rows = side_largest(&g->down, g->team);
	g->columns = side_largest(&g->across, g->team);
	g->all_chunks = g->down.count * g->across.count;
	return pieces(g->all_chunks, team_size(g->team)) * (g->rows * g->columns + packing_cost(g));
}

// block_of is how many steps of the depth are counted for a block: a shallow product's chunks have more rows.
static int64_t block_of(const gemm *g) {
	const int64_t most = most_steps(g);
	return larger(most / 4, smaller(most, steps_of(g)));
}

// most_stay is how many elements of a side fit in the second cache while the other side meets them.
static int64_t most_stay(const gemm *g) { return (in_parts(g) ? PARTS_STAY : by_amx(g) ? AMX_STAY : ROWS) * most_steps(g) / block_of(g); }

// fewest_row_chunks and fewest_column_chunks are how many chunks there are of each side at least. Of parts it is the shorter side of a chunk that
// stays, so many rows want few columns.
static int64_t fewest_row_chunks(const gemm *g) { return larger(1, pieces(g->a.count, in_parts(g) ? COLUMNS : most_stay(g))); }
static int64_t fewest_column_chunks(const gemm *g, int64_t row_chunks) {
	const int narrow = in_parts(g) && pieces(g->a.count, row_chunks) > most_stay(g);
	return larger(1, pieces(g->b.count, narrow ? smaller(COLUMNS, most_stay(g) / NR * NR) : COLUMNS));
}

// gemm_cut_best cuts the output into the chunks that fit the caches and end the soonest: even ones, as many as the workers
// or a multiple of them, unless that makes packing too dear. Rounds of chunks are counted from the first that has small enough ones.
static void gemm_cut_best(gemm *g) {
	const int64_t workers = team_size(g->team), fewest_rows = fewest_row_chunks(g);
	const int64_t most_rows = smaller(larger(fewest_rows, pieces(g->a.count, most_stay(g))) + workers, larger(1, pieces(g->a.count, height_of(g))));
	int64_t rows = fewest_rows, columns = fewest_column_chunks(g, rows), least = INT64_MAX;
	for (int64_t r = fewest_rows; r <= most_rows; r++) {
		const int64_t fewest = fewest_column_chunks(g, r), first = fewest * r / workers;
		for (int64_t rounds = first; rounds <= first + 3; rounds++) {
			const int64_t c = larger(fewest, pieces(rounds * workers, r)), cost = gemm_cut(g, r, c);
			if (cost < least) least = cost, rows = r, columns = c;
		}
	}
	gemm_cut(g, rows, columns);
}

// sums_along tells whether packing b can take its sums over the depth: that of parts can, where lines of b are not turned.
static int sums_along(const gemm *g) { return in_parts(g) && g->b.by_depth; }

// sums_length is how many floats a row of sums has.
inl int64_t sums_length(const gemm *g) { return pieces(g->b.count, NR) * NR; }

// FEWEST_TILES of a piece are enough for making it larger or smaller.
enum { FEWEST_TILES = 4 };

// gemm_cut_by_speed moves the borders between the workers' chunks, if each has as many and they lie next to each other.
static void gemm_cut_by_speed(gemm *g) {
	const int workers = team_size(g->team);
	gemm_side *side = g->down.count == 1 || g->by_columns ? &g->across : &g->down;
	side->by_speed = workers > 1 && side->count % workers == 0 && pieces(side->n, side->tile) >= FEWEST_TILES * side->count;
	g->rows = side_largest(&g->down, g->team);
	g->columns = side_largest(&g->across, g->team);
}

// panel_floats is how far a panel of a side is from the next: room for a whole last group, and for what packing writes too much.
inl int64_t panel_floats(const gemm *g, int64_t steps, int side) {
#ifdef NATIVE_AMX
	if (in_parts(g)) return pieces(steps, PART_DEPTH) * GROUP_FLOATS;
#endif
	if (side == COLUMN_SIDE) return steps * NR + NR;
	const int64_t group = by_amx(g) ? AMX_STEPS : in_groups(g) ? GROUP : 1;
	return pieces(steps, group) * group * height_of(g) + 16;
}

// STRIP panels of the side that flows meet each panel of the other in turn: see gemm_beside.h.
enum { STRIP = 2 };

// in_one_block tells whether the depth is not cut: the words of a packed weight are read as they lie then, and rows of few tiles stay in the
// second cache all the same. Sums of AMX have the same bits either way.
static int in_one_block(const gemm *g) { return by_amx(g) && !in_parts(g) && g->packed.words && g->a.count <= 2 * AMX_ROWS; }

// scratch_floats is how much memory a worker has: what is packed of both sides, then sums.
static size_t scratch_floats(const gemm *g) { return g->floats[0] + g->floats[1] + g->sum_floats; }

// gemm_plan cuts the output and lays out the workers' memory. It is 0, or the bytes of scratch that the machine refused.
static size_t gemm_plan(gemm *g, team *t) {
	const int64_t K = g->a.depth;
	g->team = t;
	if (!g->ld) g->ld = g->b.count;
	team_weigh(t);
	gemm_cut_best(g);
	g->by_columns = g->columns_apart && g->down.count > 1;
	if (g->by_columns && g->across.count % team_size(t)) gemm_cut(g, g->down.count, team_size(t) * pieces(g->across.count, team_size(t)));
	gemm_cut_by_speed(g);
	g->depth = in_one_block(g) ? larger(1, K) : block_steps(g) * per_step(g->precision);
	g->blocks = larger(1, pieces(K, g->depth));
	const int64_t steps = pieces(smaller(K, g->depth), per_step(g->precision));
	g->stays = in_parts(g) && g->columns < g->rows ? COLUMN_SIDE : ROW_SIDE;
	g->strip_stride = panel_floats(g, steps, !g->stays);
	const int64_t panels[2] = {g->rows / height_of(g), g->columns / NR}, in_turns = in_parts(g) ? 2 * STRIP : 1; // see begin_strip
	for (int side = 0; side < 2; side++)
		g->floats[side] = (size_t)((side == g->stays ? panels[side] : in_turns) * panel_floats(g, steps, side) + 15) & ~(size_t)15;
	g->sum_floats = (size_t)(g->blocks == 1 ? 2 * height_of(g) * NR : g->rows * g->columns); // two in turns: see gemm_tile
	const size_t bytes = scratch_floats(g) * sizeof(float);
	for (int w = 0; w < team_size(t); w++)
		if (!team_scratch(t, w, bytes)) return bytes;
	return 0;
}

#endif
