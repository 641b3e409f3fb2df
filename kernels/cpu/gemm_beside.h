// Products in parts make their parts beside the tiles: the tile unit multiplies by itself, and vectors meanwhile make what it will read next, a piece
// at a time.
//
// Pieces are short, so that products stand on both sides of one in the processor's window. Panels of one side of a chunk stay through a block of
// depth, those of the other meet them in strips. What stays is made while it meets the first strip, each strip beside the one before.
#ifndef ATOLL_GEMM_BESIDE_H
#define ATOLL_GEMM_BESIDE_H

#include "gemm_step.h"

#ifdef NATIVE_AMX
// Panels of a side, from element j on, that are packed piece by piece for the depths k..k+kc-1, stride floats apart.
typedef struct {
	const gemm *g; // NULL: there are none
	float *to;
	int side;
	int64_t j, stride, k, kc;
	int64_t left;  // pieces that are not made
	int64_t group, block; // of the panel at j: what is made next
	float *sums;          // gemm.sums, where this is the worker that takes them
	split_block now;
} packing;

// packing_of is a packing that has not begun. Columns are packed for each chunk of rows, and summed for the first.
static packing packing_of(const gemm *g, const gemm_step *s, int side, float *to, int64_t j, int64_t panels, int64_t stride, int64_t k, int64_t kc) {
	return (packing){.g = g, .to = to, .side = side, .j = j, .stride = stride, .k = k, .kc = kc,
		.sums = side == COLUMN_SIDE && s->from[0] == 0 ? g->sums : NULL,
		.left = panels * pieces(kc, PART_DEPTH) * GROUP_BLOCKS * BLOCK_PIECES, .now.piece = BLOCK_PIECES};
}

// next_group goes on to the next group, or to the next panel.
inl void next_group(packing *p) {
	if (++p->group * PART_DEPTH < p->kc) return;
	p->group = 0;
	p->j += NR;
	p->to += p->stride;
}

// sums_of_block is what the block at column j and group of depth is added to. Where a block of the depth begins, what the one before has added up
// to goes to the other sums, so that the error does not grow with the depth.
static float *sums_of_block(const packing *p, int64_t j, int64_t group) {
	if (!p->sums) return NULL;
	float *const sums = p->sums + j, *const before = sums + sums_length(p->g);
	if (group == 0) {
		vstore(before, vload(before) + vload(sums));
		vstore(sums, vzero());
	}
	return sums;
}

// begin_block begins with the next block.
static void begin_block(packing *p) {
	const gemm *g = p->g;
	const int columns = p->side == COLUMN_SIDE;
	const gemm_operand *o = columns ? &g->b : &g->a;
	const int64_t s = p->group, e = p->block * VL, j = p->j + e, k = p->k + s * PART_DEPTH, left = p->kc - s * PART_DEPTH;
	float *to = p->to + s * GROUP_FLOATS + (columns ? e : e * AMX_STEPS);
	if (++p->block == GROUP_BLOCKS) {
		p->block = 0;
		next_group(p);
	}
	const int64_t across = p->j + p->block * VL - j, deeper = p->k + p->group * PART_DEPTH - k;
	const int64_t ahead = o->by_depth ? deeper * o->ld + across : across * o->ld + deeper;
	if (columns && g->packed.words) p->now = packed_block(to, &g->packed, j, k, left);
	else p->now = block_of_operand(to, columns ? NR : AMX_STEPS, o, j, k, left, turns(o, columns), ahead, sums_of_block(p, j, s));
}

// pack_some makes n pieces more, and gives how many were not there.
static int64_t pack_some(packing *p, int64_t n) {
	for (; n > 0 && p->left > 0; n--, p->left--) {
		if (p->now.piece == BLOCK_PIECES) begin_block(p);
		split_some(&p->now);
	}
	return n;
}

// What a worker does beside tiles.
typedef struct {
	gemm_step *step;
	packing staying, flowing;   // what is made next of both sides
	float *other;               // the place of the strip that is read: the next one is made at step->at
	int64_t due, credit, times; // pieces beside this tile, times parts of a piece that are due, and how often something is made
} beside;

inl int flowing_side(const gemm *g) { return !g->stays; }

// Panels of the side that flows, at the depths k..k+kc-1.
typedef struct {
	int64_t panel, panels, k, kc;
} strip;

// strip_at is the strip of a block that begins with a panel.
inl strip strip_at(const gemm *g, const gemm_step *s, int64_t panel, int64_t k) {
	return (strip){panel, smaller(STRIP, s->panels[flowing_side(g)] - panel), k, smaller(g->depth, g->a.depth - k)};
}

// strip_after is the strip after another: in the same block, or the first in the next. After the last its kc is 0 or less.
inl strip strip_after(const gemm *g, const gemm_step *s, const strip *at) {
	const int64_t next = at->panel + at->panels;
	return next < s->panels[flowing_side(g)] ? strip_at(g, s, next, at->k) : strip_at(g, s, 0, at->k + g->depth);
}

// do_beside is what is done each time.
static void do_beside(void *of) {
	beside *b = of;
	store_some(b->step);
	int64_t n = 0;
	for (b->credit += b->due; b->credit >= b->times; b->credit -= b->times) n++;
	if (n > 0) pack_some(&b->flowing, pack_some(&b->staying, n));
}

// share_out decides how much is made beside the next of left tiles, of which with_panel are with the same panel of what stays: the next such panel by
// the end of those where a block begins, and all by the end of the last.
static void share_out(beside *b, const strip *at, int64_t with_panel, int64_t left) {
	const int begins = at->panel == 0;
	b->due = pieces(b->staying.left, begins ? with_panel : left);
	if (!begins || with_panel == left) b->due += pieces(b->flowing.left, left);
	b->credit = 0;
}

// pack_staying is a packing of panel i of what stays, and pack_strip of a strip.
static packing pack_staying(const gemm *g, const gemm_step *s, int64_t i, int64_t k) {
	const int side = g->stays;
	const int64_t kc = smaller(g->depth, g->a.depth - k), stride = i ? s->stride[side] : 0;
	return packing_of(g, s, side, s->at[side] + i * stride, s->from[side] + i * NR, 1, stride, k, kc);
}
static packing pack_strip(const gemm *g, const gemm_step *s, const strip *t) {
	const int side = flowing_side(g);
	return packing_of(g, s, side, s->at[side], s->from[side] + t->panel * NR, t->panels, g->strip_stride, t->k, t->kc);
}

// meet_panel sees to it that panel i of what stays is packed when it meets a strip, and begins with what is packed beside it: the next one
// where a block begins, and the first of the next block, in the place of its own, where one ends.
static void meet_panel(const gemm *g, beside *b, const strip *at, int64_t i) {
	const gemm_step *s = b->step;
	if (at->panel == 0) {
		pack_some(&b->staying, INT64_MAX);
		if (i + 1 < s->panels[g->stays]) b->staying = pack_staying(g, s, i + 1, s->k);
	} else if (i == 1 && s->k + s->kc < g->a.depth && at->panel + at->panels == s->panels[flowing_side(g)])
		b->staying = pack_staying(g, s, 0, s->k + s->kc);
}

// begin_strip gives a strip's panels, and begins to pack the strip after it at the other of two places.
static const float *begin_strip(const gemm *g, beside *b, const strip *at) {
	gemm_step *s = b->step;
	const int side = flowing_side(g);
	if (!b->flowing.g) b->flowing = pack_strip(g, s, at);
	pack_some(&b->flowing, INT64_MAX);
	float *const here = s->at[side];
	s->at[side] = b->other;
	b->other = here;
	const strip next = strip_after(g, s, at);
	if (next.kc > 0) b->flowing = pack_strip(g, s, &next);
	return here;
}

// fetches_after is the memory of the strip after another. Rows that are copied the processor foresees, and what a weight's gradient is made of has
// just been written.
static fetches fetches_after(const gemm *g, const gemm_step *s, const strip *at) {
	const strip next = strip_after(g, s, at);
	const int64_t n = s->from[1] + next.panel * NR;
	if (g->stays == COLUMN_SIDE || transposes_rows(g) || next.kc <= 0) return (fetches){0};
	return g->packed.words ? packed_lines(&g->packed, n, next.panels * NR, next.k, next.kc) : fetches_of(&g->b, n, next.panels * NR, next.k, next.kc);
}

// multiply_strip multiplies all panels of the side that stays with a strip of the other.
static void multiply_strip(const gemm *g, beside *b, const strip *at) {
	gemm_step *s = b->step;
	const float *strip_panels = begin_strip(g, b, at), *staying = s->at[g->stays];
	const int64_t panels = s->panels[g->stays];
	tile_fetches f = {.meanwhile = do_beside, .of = b, .stored_size = g->stored_size, .next = fetches_after(g, s, at)};
	f.lines = pieces(f.next.left, panels * at->panels);
	for (int64_t i = 0; i < panels; i++, staying += s->stride[g->stays]) {
		meet_panel(g, b, at, i);
		for (int64_t q = 0; q < at->panels; q++) {
			const float *flowing = strip_panels + q * g->strip_stride;
			share_out(b, at, at->panels - q, (panels - i) * at->panels - q);
			if (g->stays == ROW_SIDE) gemm_tile(g, s, i, at->panel + q, staying, flowing, &f);
			else gemm_tile(g, s, at->panel + q, i, flowing, staying, &f);
		}
	}
}

// beside_of has packed nothing yet. Strips are made at step->at[flowing_side] and at the other half of its memory in turns.
static beside beside_of(const gemm *g, gemm_step *s) {
	return (beside){.step = s, .other = s->at[flowing_side(g)] + g->floats[flowing_side(g)] / 2};
}

// parts_block multiplies a block of a chunk.
static void parts_block(const gemm *g, beside *b) {
	gemm_step *s = b->step;
	b->times = larger(1, PRODUCTS_OF_PARTS * pieces(s->kc, PART_DEPTH));
	s->rows_at_once = larger(2, pieces(AMX_ROWS, b->times));
	if (!b->staying.g || b->staying.k != s->k) b->staying = pack_staying(g, s, 0, s->k);
	for (strip at = strip_at(g, s, 0, s->k); at.k == s->k; at = strip_after(g, s, &at)) multiply_strip(g, b, &at);
}
#endif

#endif
