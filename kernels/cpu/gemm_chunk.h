// How a worker goes through its chunk of a product's output.
#ifndef ATOLL_GEMM_CHUNK_H
#define ATOLL_GEMM_CHUNK_H

#include "gemm_beside.h"

// columns_of gives a panel of columns: where it lies, or packed.
static const float *columns_of(const gemm *g, const gemm_step *s, int64_t n) {
	if (in_place(&g->packed, g->precision)) return packed_at(&g->packed, n, s->k);
#if defined NATIVE_BF16 && !defined NATIVE_AMX
	if (g->packed.words && g->packed.format == FORMAT_TWICE && g->precision == DT_BF16) {
		copy_columns(s->at[1], &g->packed, n, s->k, s->kc);
		return s->at[1];
	}
#endif
	if (g->packed.words) widen_columns(s->at[1], &g->packed, n, s->k, s->kc);
	else pack_columns(s->at[1], &g->b, g->precision, n, 1, 0, s->k, s->kc);
	return s->at[1];
}

// first_rows gives the first rows of a chunk: where they lie, or packed.
static const float *first_rows(const gemm *g, const gemm_step *s) {
	return rows_in_place(g) ? (const float *)((const uint16_t *)g->a.start + s->from[0] * g->a.ld + s->k) : s->at[0];
}

// panel_block multiplies the packed rows of a chunk with a panel of its columns. Meanwhile it fetches the memory of the panel that comes after
// it, if there is one, and its share of the rows that will be packed next.
static void panel_block(const gemm *g, gemm_step *s, int64_t column) {
	const int64_t n = s->from[1] + column * NR, panels = s->panels[0];
	const float *a = first_rows(g, s), *b = columns_of(g, s, n);
	const int64_t stride = rows_in_place(g) ? AMX_ROWS * g->a.ld / 2 : s->stride[0];
	const int64_t next = n + NR < s->end[1] ? n + NR : s->from[1], next_k = n + NR < s->end[1] ? s->k : s->k + s->kc;
	const int64_t next_kc = smaller(s->kc, g->b.depth - next_k);
	tile_fetches f = {.meanwhile = by_amx(g) ? store_some : NULL, .of = s, .stored_size = g->stored_size};
	f.next = g->packed.words ? packed_lines(&g->packed, next, NR, next_k, next_kc) : fetches_of(&g->b, next, NR, next_k, next_kc);
	f.lines = pieces(f.next.left, panels);
	for (int64_t i = 0; i < panels; i++, a += stride) gemm_tile(g, s, i, column, a, b, &f);
}

// whole_block multiplies a block of a chunk after packing its rows.
static void whole_block(const gemm *g, gemm_step *s) {
	if (by_amx(g)) s->rows_at_once = pieces(AMX_ROWS, larger(1, s->kc / per_step(g->precision) / larger(1, AMX_STEPS)));
	if (!rows_in_place(g)) pack_a(g, s->at[0], s->from[0], s->panels[0], s->stride[0], s->k, s->kc);
	for (int64_t column = 0; column < s->panels[1]; column++) panel_block(g, s, column);
}

// rows_after is the memory of the rows that the worker transposes after the step: those of the next block, or most likely of the next
// chunk. Rows that are copied the processor foresees: asking for them made steps 4 % longer. Parts fetch a block ahead by themselves (split_some).
inl fetches rows_after(const gemm *g, const gemm_step *s, int64_t chunk, int worker) {
	if (in_parts(g) || !transposes_rows(g)) return (fetches){0};
	const int64_t k = s->k + s->kc;
	if (k < g->a.depth) return fetches_of(&g->a, s->from[0], s->end[0] - s->from[0], k, smaller(g->depth, g->a.depth - k));
	if (chunk + 1 >= team_end(g->team, g->all_chunks, worker)) return (fetches){0};
	const int64_t row = (chunk + 1) / g->across.count, from = side_begin(&g->down, g->team, row);
	return fetches_of(&g->a, from, side_begin(&g->down, g->team, row + 1) - from, 0, smaller(g->depth, g->a.depth));
}

// step_of is the begin of chunk i.
static gemm_step step_of(const gemm *g, int64_t i, int worker) {
	const int64_t row = g->by_columns ? i % g->down.count : i / g->across.count, column = g->by_columns ? i / g->down.count : i % g->across.count;
	gemm_step s = {.from = {side_begin(&g->down, g->team, row), side_begin(&g->across, g->team, column)},
		.end = {side_begin(&g->down, g->team, row + 1), side_begin(&g->across, g->team, column + 1)}};
	s.panels[0] = pieces(s.end[0] - s.from[0], height_of(g));
	s.panels[1] = pieces(s.end[1] - s.from[1], NR);
	s.at[0] = team_scratch(g->team, worker, scratch_floats(g) * sizeof(float));
	s.at[1] = s.at[0] + g->floats[0];
	s.sums = s.at[1] + g->floats[1];
	return s;
}

// gemm_chunk computes chunk i of the plan. It is a team_body over 0..all_chunks-1 with a gemm for its argument.
static void gemm_chunk(void *arg, int64_t i, int worker) {
	const gemm *g = arg;
	if (by_amx(g)) amx_begin();
	const double start = team_clock();
	gemm_step s = step_of(g, i, worker);
	const int64_t tiles = s.panels[0] * s.panels[1];
#ifdef NATIVE_AMX
	beside parts = beside_of(g, &s);
#endif
	if (!g->packed.words) {
		fetches first = fetches_of(&g->b, s.from[1], NR, 0, smaller(g->depth, g->a.depth));
		fetch(&first, first.left);
	}
	for (; s.block < g->blocks; s.block++) {
		s.k = s.block * g->depth;
		s.kc = smaller(g->depth, g->a.depth - s.k);
		for (int side = 0; side < 2; side++) s.stride[side] = panel_floats(g, pieces(s.kc, per_step(g->precision)), side);
		s.ahead = rows_after(g, &s, i, worker);
		s.share = pieces(s.ahead.left, tiles);
#ifdef NATIVE_AMX
		if (in_parts(g)) {
			parts_block(g, &parts);
			continue;
		}
#endif
		whole_block(g, &s);
	}
	store_rows(&s.before, height_of(g));
	if (by_amx(g)) amx_end();
	team_tell(g->team, worker, (double)tiles, team_clock() - start);
}

#endif
