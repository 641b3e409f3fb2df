// The gradient of attention. With p = exp(score - lse), mask the dropout factor and delta = dout·out of a query:
//
//	ds = p * (mask * dout·v - delta),  dq = scale * ds·k,  dk = scale * dsᵀ·q,  dv = (mask * p)ᵀ·dout
//
// A worker takes a whole head: tiles of keys one after the other, and for each all panels of queries that see it.
#ifndef ATOLL_ATTENTION_BACKWARD_H
#define ATOLL_ATTENTION_BACKWARD_H

#include "attention_amx.h"

// A worker's memory: the whole head's queries and gradients of outputs, as rows [T][wide] and as columns [D][PANEL] for
// each panel, one tile of keys with its gradients, and the products of one tile and one panel.
typedef struct {
	float *q_columns, *do_columns, *dq_columns, *q_rows, *do_rows, *delta, *lse;
	float *keys, *values, *dkeys, *dvalues, *p, *ds, *factors, *rows;
	int64_t wide;
} gradient_room;

static gradient_room gradient_room_at(float *start, int64_t T, int64_t D, int64_t *floats) {
	int64_t queries = panel_width(T), wide = panel_width(D);
	float *at = start;
	gradient_room room = {.wide = wide};
	room.q_columns = place(&at, queries * D);
	room.do_columns = place(&at, queries * D);
	room.dq_columns = place(&at, queries * D);
	room.q_rows = place(&at, queries * wide);
	room.do_rows = place(&at, queries * wide);
	room.delta = place(&at, queries);
	room.lse = place(&at, queries);
	room.keys = place(&at, KEYS * D);
	room.values = place(&at, KEYS * D);
	room.dkeys = place(&at, KEYS * wide);
	room.dvalues = place(&at, KEYS * wide);
	room.p = place(&at, KEYS * PANEL);
	room.ds = place(&at, KEYS * PANEL);
	room.factors = place(&at, KEYS * PANEL);
	room.rows = place(&at, PANEL * wide);
	*floats = at - start;
	return room;
}

// rows_dot sets to to the products of n rows of two heads, from row first on.
inl void rows_dot(float *to, head_slice x, head_slice y, int64_t first, int64_t n, int64_t D, uint32_t dtype) {
	for (int64_t r = 0; r < n; r++) {
		const int64_t i = x.at + (first + r) * x.stride, j = y.at + (first + r) * y.stride;
		vf sum = vzero();
		for (int64_t d = 0; d < D; d += VL) sum = vfma(vload_act_to(x.start, i + d, i + D, dtype), vload_act_to(y.start, j + d, j + D, dtype), sum);
		to[r] = vsum(sum);
	}
}

// gradient_statistics sets delta and the log sums of n queries of a panel. Absent ones get the log sum infinity, which makes their
// probabilities 0.
static void gradient_statistics(const attention_call *k, gradient_room *room, int64_t b, int64_t h, int64_t first, int64_t n) {
	const head_slice dout = head_of(k, k->arg[1], b, h), out = head_of(k, k->arg[3], b, h);
	BY_DTYPE(out.dtype, rows_dot, room->delta + first, dout, out, first, n, k->D);
	memcpy(room->lse + first, (const float *)k->arg[4] + (b * k->H + h) * k->T + first, (size_t)n * sizeof(float));
	for (int64_t i = n; i < PANEL; i++) {
		room->lse[first + i] = __builtin_inff();
		room->delta[first + i] = 0;
	}
}

// gradient_begin reads n queries of a panel.
static void gradient_begin(const attention_call *k, gradient_room *room, int64_t b, int64_t h, int64_t first, int64_t n) {
	float *q = room->q_rows + first * room->wide, *dout = room->do_rows + first * room->wide;
	read_rows(q, room->wide, third(k, k->arg[2], b, h, 0), first, n, k->D, k->scale);
	read_rows(dout, room->wide, head_of(k, k->arg[1], b, h), first, n, k->D, 1);
	memset(q + n * room->wide, 0, (size_t)((PANEL - n) * room->wide) * sizeof(float));
	memset(dout + n * room->wide, 0, (size_t)((PANEL - n) * room->wide) * sizeof(float));
	panel_columns(room->q_columns + first * k->D, q, room->wide, n, k->D);
	panel_columns(room->do_columns + first * k->D, dout, room->wide, n, k->D);
	memset(room->dq_columns + first * k->D, 0, (size_t)(PANEL * k->D) * sizeof(float));
	gradient_statistics(k, room, b, h, first, n);
}

// gradient_scores_some turns scores (p), which lack a factor scale, and dout·v (ds) of half a panel and n keys into mask*p and ds.
inl void gradient_scores_some(gradient_room *room, int64_t first, int64_t at, int64_t key, int64_t s, int drops, vf scale, const int n) {
	const vf lse = vload(room->lse + first + at), delta = vload(room->delta + first + at);
	float *p_at = room->p + s * PANEL + at, *ds_at = room->ds + s * PANEL + at;
	vf p[SIDE_BY_SIDE];
	EACH(n) p[i] = vload(p_at + i * PANEL) * scale - lse;
	vexp_each(p, n);
	if (key + s + n > first + 1) EACH(n) p[i] = vsel(vsees(first + at, key + s + i), p[i], vzero());
	EACH(n) {
		const vf factor = drops ? vload(room->factors + (s + i) * PANEL + at) : vset(1);
		vstore(ds_at + i * PANEL, p[i] * (vload(ds_at + i * PANEL) * factor - delta));
		vstore(p_at + i * PANEL, p[i] * factor);
	}
}

inl void gradient_scores(gradient_room *room, int64_t first, int half, int64_t key, int64_t keys, int drops, float scale) {
	int64_t s = 0;
	for (; s + SIDE_BY_SIDE <= keys; s += SIDE_BY_SIDE) gradient_scores_some(room, first, half * VL, key, s, drops, vset(scale), SIDE_BY_SIDE);
	for (; s < keys; s++) gradient_scores_some(room, first, half * VL, key, s, drops, vset(scale), 1);
}

// gradient_tile adds what n queries of a panel and a tile of keys give to each other.
static void gradient_tile(const attention_call *k, gradient_room *room, int64_t head, int64_t first, int64_t n, int64_t key,
	int64_t keys) {
	int64_t at = first * k->D, wide = room->wide;
	tile_scores(room->p, room->keys, room->q_columns + at, k->D, keys);
	tile_scores(room->ds, room->values, room->do_columns + at, k->D, keys);
	if (k->drops) panel_factors(room->factors, k, head, first, n, key, keys);
	for (int half = 0; half < 2; half++) gradient_scores(room, first, half, key, keys, k->drops, 1);
	tile_weigh(room->dq_columns + at, room->keys, room->ds, k->D, keys);
	tile_gather(room->dvalues, room->p, room->do_rows + first * wide, wide, keys);
	tile_gather(room->dkeys, room->ds, room->q_rows + first * wide, wide, keys);
}

static void scale_all(float *x, int64_t n, float scale) {
	for (int64_t i = 0; i < n; i += VL) vstore(x + i, vload(x + i) * vset(scale));
}

// gradient_end stores dq of n queries of a panel, of which columns [D,PANEL] lack the scale. rows is room for PANEL of wide floats.
static void gradient_end(const attention_call *k, float *columns, float *rows, int64_t wide, int64_t b, int64_t h, int64_t first, int64_t n) {
	scale_all(columns, PANEL * k->D, k->scale);
	panel_rows(rows, wide, columns, k->D);
	write_rows(third(k, k->arg[0], b, h, 0), first, rows, wide, n, k->D);
}

static void attention_backward_head(void *of, int64_t head, int worker) {
	const attention_call *k = of;
	int64_t b = head / k->H, h = head % k->H, end = rows_of(k, b), D = k->D, floats;
	gradient_room room = gradient_room_at(room_of(k, worker), k->T, D, &floats);
	for (int64_t at = 0; at < end; at += PANEL) gradient_begin(k, &room, b, h, at, smaller(PANEL, end - at));
	for (int64_t key = 0; key < end; key += KEYS) {
		int64_t tile = smaller(KEYS, end - key);
		read_rows(room.keys, D, third(k, k->arg[2], b, h, 1), key, tile, D, 1);
		read_rows(room.values, D, third(k, k->arg[2], b, h, 2), key, tile, D, 1);
		memset(room.dkeys, 0, (size_t)(KEYS * room.wide) * sizeof(float));
		memset(room.dvalues, 0, (size_t)(KEYS * room.wide) * sizeof(float));
		for (int64_t at = key / PANEL * PANEL; at < end; at += PANEL)
			gradient_tile(k, &room, head, at, smaller(PANEL, end - at), key, smaller(tile, at + PANEL - key));
		write_rows(third(k, k->arg[0], b, h, 1), key, room.dkeys, room.wide, tile, D);
		write_rows(third(k, k->arg[0], b, h, 2), key, room.dvalues, room.wide, tile, D);
	}
	for (int64_t at = 0; at < end; at += PANEL)
		gradient_end(k, room.dq_columns + at * D, room.rows, room.wide, b, h, at, smaller(PANEL, end - at));
	for (int which = 0; which < 3; which++) zero_rows(third(k, k->arg[0], b, h, which), end, k->T, D);
}

#ifdef NATIVE_AMX
// The same by attention_amx.h. Queries and gradients of outputs are kept for all panels: as words for the scores [W/2,PANEL], and as words of
// pairs of queries [PANEL/2,W]; dq as [W,PANEL]. Of a tile there are keys and values as rows [KEYS,W], keys turned [W,KEYS], dkeys and dvalues
// [KEYS,W], and the panel's p and ds, in fp32 in the room of before, as rows [KEYS,PANEL] and ds as words.
typedef struct {
	gradient_room room; // p, ds, factors, lse, delta, rows
	int64_t W;
	float *q, *dout, *q_pairs, *dout_pairs, *dq, *dkeys, *dvalues, *ds_words;
	uint16_t *keys, *values, *keys_turned, *p_rows, *ds_rows;
} gradient_tiles;

static gradient_tiles gradient_tiles_at(float *start, int64_t T, int64_t D, int64_t *floats) {
	const int64_t queries = panel_width(T), W = whole(D);
	float *at = start;
	gradient_tiles g = {.W = W};
	g.q = place(&at, queries * W / 2);
	g.dout = place(&at, queries * W / 2);
	g.q_pairs = place(&at, queries * W / 2);
	g.dout_pairs = place(&at, queries * W / 2);
	g.dq = place(&at, queries * W);
	g.room.delta = place(&at, queries);
	g.room.lse = place(&at, queries);
	g.dkeys = place(&at, KEYS * W);
	g.dvalues = place(&at, KEYS * W);
	g.ds_words = place(&at, KEYS / 2 * PANEL);
	g.keys = (uint16_t *)place(&at, KEYS * W / 2);
	g.values = (uint16_t *)place(&at, KEYS * W / 2);
	g.keys_turned = (uint16_t *)place(&at, KEYS * W / 2);
	g.p_rows = (uint16_t *)place(&at, KEYS * PANEL / 2);
	g.ds_rows = (uint16_t *)place(&at, KEYS * PANEL / 2);
	g.room.p = place(&at, KEYS * PANEL);
	g.room.ds = place(&at, KEYS * PANEL);
	g.room.factors = place(&at, KEYS * PANEL);
	g.room.rows = place(&at, PANEL * W);
	*floats = at - start;
	return g;
}

static void tiles_begin(const attention_call *k, gradient_tiles *g, int64_t b, int64_t h, int64_t first, int64_t n) {
	const head_slice q = third(k, k->arg[2], b, h, 0), dout = head_of(k, k->arg[1], b, h);
	const int64_t at = first * g->W / 2;
	turn_rows(g->q + at, g->W, q, first, n, k->D);
	turn_rows(g->dout + at, g->W, dout, first, n, k->D);
	pair_columns(g->q_pairs + at, g->W, q, first, n, PANEL, k->D);
	pair_columns(g->dout_pairs + at, g->W, dout, first, n, PANEL, k->D);
	memset(g->dq + first * g->W, 0, (size_t)(PANEL * g->W) * sizeof(float));
	gradient_statistics(k, &g->room, b, h, first, n);
}

// tiles_panel adds what n queries of a panel and a tile of keys give to each other.
static void tiles_panel(const attention_call *k, gradient_tiles *g, int64_t head, int64_t first, int64_t n, int64_t key, int64_t keys) {
	const int64_t at = first * g->W / 2, W = g->W, rows = whole(keys);
	row_product(g->room.p, PANEL, g->keys, W, g->q + at, PANEL, rows, W, 0);
	row_product(g->room.ds, PANEL, g->values, W, g->dout + at, PANEL, rows, W, 0);
	if (k->drops) panel_factors(g->room.factors, k, head, first, n, key, keys);
	for (int half = 0; half < 2; half++) gradient_scores(&g->room, first, half, key, keys, k->drops, k->scale);
	narrow_scores(g->p_rows, g->room.p, keys);
	narrow_scores(g->ds_rows, g->room.ds, keys);
	pair_scores(g->ds_words, g->room.ds, keys);
	row_product(g->dq + first * W, PANEL, g->keys_turned, KEYS, g->ds_words, PANEL, whole(k->D), whole(keys), 1);
	for (int64_t i = 0; i < W; i += PANEL) {
		row_product(g->dvalues + i, W, g->p_rows, PANEL, g->dout_pairs + at + i, W, rows, PANEL, 1);
		row_product(g->dkeys + i, W, g->ds_rows, PANEL, g->q_pairs + at + i, W, rows, PANEL, 1);
	}
}

// tiles_keys computes the gradients of a tile of keys and values, and adds its part of dq.
static void tiles_keys(const attention_call *k, gradient_tiles *g, int64_t head, int64_t key, int64_t end) {
	const int64_t b = head / k->H, h = head % k->H, tile = smaller(KEYS, end - key);
	const head_slice keys = third(k, k->arg[2], b, h, 1), values = third(k, k->arg[2], b, h, 2);
	copy_rows(g->keys, g->W, keys, key, tile, k->D);
	copy_rows(g->values, g->W, values, key, tile, k->D);
	turn_columns(g->keys_turned, KEYS, keys, key, tile, k->D);
	memset(g->dkeys, 0, (size_t)(KEYS * g->W) * sizeof(float));
	memset(g->dvalues, 0, (size_t)(KEYS * g->W) * sizeof(float));
	for (int64_t at = key / PANEL * PANEL; at < end; at += PANEL)
		tiles_panel(k, g, head, at, smaller(PANEL, end - at), key, smaller(tile, at + PANEL - key));
	scale_all(g->dkeys, KEYS * g->W, k->scale);
	write_rows(third(k, k->arg[0], b, h, 1), key, g->dkeys, g->W, tile, k->D);
	write_rows(third(k, k->arg[0], b, h, 2), key, g->dvalues, g->W, tile, k->D);
}

static void attention_backward_tiles(void *of, int64_t head, int worker) {
	const attention_call *k = of;
	int64_t b = head / k->H, h = head % k->H, end = rows_of(k, b), floats;
	gradient_tiles g = gradient_tiles_at(room_of(k, worker), k->T, k->D, &floats);
	amx_begin();
	for (int64_t at = 0; at < end; at += PANEL) tiles_begin(k, &g, b, h, at, smaller(PANEL, end - at));
	for (int64_t key = 0; key < end; key += KEYS) tiles_keys(k, &g, head, key, end);
	amx_end();
	for (int64_t at = 0; at < end; at += PANEL) gradient_end(k, g.dq + at * g.W, g.room.rows, g.W, b, h, at, smaller(PANEL, end - at));
	for (int which = 0; which < 3; which++) zero_rows(third(k, k->arg[0], b, h, which), end, k->T, k->D);
}
#endif

static int attention_backward(team *t, const atoll_call *c, void *const *arg, char *error) {
	attention_call k = attention_of(t, c, arg, arg[5], arg[6]);
	team_body *body = attention_backward_head;
	if (check_lengths(k.lengths, k.B, k.T, error)) return 1;
	int64_t floats;
	gradient_room_at(NULL, k.T, k.D, &floats);
#ifdef NATIVE_AMX
	if (by_tiles(&k)) {
		gradient_tiles_at(NULL, k.T, k.D, &floats);
		body = attention_backward_tiles;
	}
#endif
	if (attention_rooms(&k, floats, error)) return 1;
	team_for(t, k.B * k.H, body, &k);
	return 0;
}

#endif
