// Causal attention: the softmax is computed while the keys pass by (Dao et al., FlashAttention, 2022), with a running
// maximum and sum for each query, so that no row of scores is ever stored.
#ifndef ATOLL_ATTENTION_H
#define ATOLL_ATTENTION_H

#include "attention_amx.h"

// QUERIES of one head are a worker's item; keys and values are read once for all of them.
enum { QUERIES = 96, PANELS = QUERIES / PANEL };

// The state of one panel: its queries and outputs, transposed, and the softmax so far.
typedef struct {
	float *queries, *outputs;
	float largest[PANEL], total[PANEL];
} attention_panel;

// A worker's memory.
typedef struct {
	float *keys, *values, *rows, *factors, *scores, *words;
	attention_panel panel[PANELS];
} attention_room;

// attention_room_at lays out a worker's memory. D is that of the heads, or by_tiles' rounded up to whole, which keys and columns have then.
static attention_room attention_room_at(float *start, int64_t D, int64_t *floats) {
	attention_room room;
	float *at = start;
	room.scores = place(&at, KEYS * PANEL);
	room.factors = place(&at, KEYS * PANEL);
	room.words = place(&at, KEYS / 2 * PANEL);
	room.rows = place(&at, PANEL * padded(D));
	room.keys = place(&at, KEYS * D);
	room.values = place(&at, KEYS * D);
	for (int i = 0; i < PANELS; i++) {
		room.panel[i].queries = place(&at, PANEL * D);
		room.panel[i].outputs = place(&at, PANEL * D);
	}
	*floats = at - start;
	return room;
}

// hide gives the keys that a query may not see the score -infinity. first is the panel's first query.
static void hide(float *scores, int64_t first, int64_t key, int64_t keys) {
	for (int64_t s = larger(first - key, 0); s < keys; s++)
		for (int half = 0; half < 2; half++) {
			float *at = scores + s * PANEL + half * VL;
			vstore(at, vsel(vsees(first + half * VL, key + s), vload(at), vset(-__builtin_inff())));
		}
}

// soften turns half a panel's scores, which lack a factor scale, into exponentials from the new maximum and brings the sum and the outputs to it.
inl void soften(attention_panel *p, int half, float *scores, int64_t keys, int64_t D, float scale) {
	int at = half * VL;
	vf before = vload(p->largest + at), largest = vset(-__builtin_inff()), total = vzero();
	for (int64_t s = 0; s < keys; s++) largest = vmax(largest, vload(scores + s * PANEL + at));
	largest = vmax(before, largest * vset(scale));
	int64_t s = 0;
	for (; s + SIDE_BY_SIDE <= keys; s += SIDE_BY_SIDE)
		total = vexp_rows(scores + s * PANEL + at, PANEL, vset(scale), largest, total, SIDE_BY_SIDE);
	for (; s < keys; s++) total = vexp_rows(scores + s * PANEL + at, PANEL, vset(scale), largest, total, 1);
	vf shrink = vexp(before - largest);
	vstore(p->largest + at, largest);
	vstore(p->total + at, vfma(vload(p->total + at), shrink, total));
	for (int64_t d = 0; d < D; d++) {
		float *output = p->outputs + d * PANEL + at;
		vstore(output, vload(output) * shrink);
	}
}

// panel_scores gives the scores of a tile of keys with a panel; by_tiles leaves out the scale.
static void panel_scores(const attention_call *k, attention_room *room, const attention_panel *p, int64_t keys) {
#ifdef NATIVE_AMX
	if (by_tiles(k)) {
		const int64_t W = whole(k->D);
		row_product(room->scores, PANEL, (const uint16_t *)room->keys, W, p->queries, PANEL, whole(keys), W, 0);
		return;
	}
#endif
	tile_scores(room->scores, room->keys, p->queries, k->D, keys);
}

// panel_weigh adds the values of a tile of keys, weighed by the scores, to a panel's outputs.
static void panel_weigh(const attention_call *k, attention_room *room, attention_panel *p, int64_t keys) {
#ifdef NATIVE_AMX
	if (by_tiles(k)) {
		pair_scores(room->words, room->scores, keys);
		row_product(p->outputs, PANEL, (const uint16_t *)room->values, KEYS, room->words, PANEL, whole(k->D), whole(keys), 1);
		return;
	}
#endif
	tile_weigh(p->outputs, room->values, room->scores, k->D, keys);
}

// attend lets a panel look at a tile of keys.
static void attend(const attention_call *k, attention_room *room, attention_panel *p, int64_t head, int64_t first,
	int64_t queries, int64_t key, int64_t keys) {
	panel_scores(k, room, p, keys);
	hide(room->scores, first, key, keys);
	for (int half = 0; half < 2; half++) soften(p, half, room->scores, keys, k->D, by_tiles(k) ? k->scale : 1);
	if (k->drops) {
		panel_factors(room->factors, k, head, first, queries, key, keys);
		for (int64_t i = 0; i < keys * PANEL; i += VL)
			vstore(room->scores + i, vload(room->scores + i) * vload(room->factors + i));
	}
	panel_weigh(k, room, p, keys);
}

// room_depth is the D that a worker's memory is laid out for.
static int64_t room_depth(const attention_call *k) {
#ifdef NATIVE_AMX
	if (by_tiles(k)) return whole(k->D);
#endif
	return k->D;
}

// read_tile reads a tile of keys and their values.
static void read_tile(const attention_call *k, attention_room *room, const head_slice *keys, const head_slice *values, int64_t key, int64_t n) {
#ifdef NATIVE_AMX
	if (by_tiles(k)) {
		copy_rows((uint16_t *)room->keys, whole(k->D), *keys, key, n, k->D);
		turn_columns((uint16_t *)room->values, KEYS, *values, key, n, k->D);
		return;
	}
#endif
	read_rows(room->keys, k->D, *keys, key, n, k->D, 1);
	read_rows(room->values, k->D, *values, key, n, k->D, 1);
}

static void panel_begin(const attention_call *k, attention_room *room, attention_panel *p, head_slice q, int64_t first, int64_t n) {
	const int64_t W = room_depth(k);
#ifdef NATIVE_AMX
	if (by_tiles(k)) turn_rows(p->queries, W, q, first, n, k->D);
	else
#endif
	{
		read_rows(room->rows, padded(k->D), q, first, n, k->D, k->scale);
		panel_columns(p->queries, room->rows, padded(k->D), n, k->D);
	}
	memset(p->outputs, 0, (size_t)(PANEL * W) * sizeof(float));
	for (int i = 0; i < PANEL; i++) {
		p->largest[i] = -__builtin_inff();
		p->total[i] = 0;
	}
}

static void panel_end(const attention_call *k, attention_room *room, attention_panel *p, head_slice out, float *lse,
	int64_t first, int64_t n) {
	for (int half = 0; half < PANEL; half += VL) {
		vf total = vload(p->total + half), inverse = vset(1) / total;
		for (int64_t d = 0; d < k->D; d++) {
			float *output = p->outputs + d * PANEL + half;
			vstore(output, vload(output) * inverse);
		}
		vstore(p->total + half, vload(p->largest + half) + vlog(total));
	}
	panel_rows(room->rows, padded(k->D), p->outputs, k->D);
	write_rows(out, first, room->rows, padded(k->D), n, k->D);
	if (lse) memcpy(lse + first, p->total, (size_t)n * sizeof *lse);
}

// What a head is computed from and stored to. Its first query comes after start keys.
typedef struct {
	head_slice queries, keys, values, out;
	float *lse; // NULL: not wanted
	int64_t head, start;
} attention_head;

// attention_queries computes the queries first..end-1 of one head, first a multiple of QUERIES.
static void attention_queries(const attention_call *k, const attention_head *h, int64_t first, int64_t end, int worker) {
	int64_t floats;
	attention_room room = attention_room_at(room_of(k, worker), room_depth(k), &floats);
	const int64_t start = h->start;
	if (by_tiles(k)) amx_begin();
	for (int64_t at = first, i = 0; at < end; at += PANEL, i++)
		panel_begin(k, &room, &room.panel[i], h->queries, at, smaller(PANEL, end - at));
	for (int64_t key = 0; key < start + end; key += KEYS) {
		const int64_t tile = smaller(KEYS, start + end - key);
		read_tile(k, &room, &h->keys, &h->values, key, tile);
		for (int64_t at = first, i = 0; at < end; at += PANEL, i++) {
			const int64_t seen = smaller(tile, start + at + PANEL - key);
			if (seen > 0) attend(k, &room, &room.panel[i], h->head, start + at, smaller(PANEL, end - at), key, seen);
		}
	}
	for (int64_t at = first, i = 0; at < end; at += PANEL, i++)
		panel_end(k, &room, &room.panel[i], h->out, h->lse, at, smaller(PANEL, end - at));
	if (by_tiles(k)) amx_end();
}

// attention_floats is the memory that attention_queries takes for a worker.
static int64_t attention_floats(const attention_call *k) {
	int64_t floats;
	attention_room_at(NULL, room_depth(k), &floats);
	return floats;
}

// attention_item is QUERIES of a head, those with most to look at first, which evens out the end. The items of a row of the batch follow
// each other: see team.h.
static void attention_item(void *of, int64_t item, int worker) {
	const attention_call *k = of;
	int64_t blocks = pieces(k->T, QUERIES), head = item / blocks;
	int64_t first = (blocks - 1 - item % blocks) * QUERIES, b = head / k->H, h = head % k->H;
	int64_t end = smaller(first + QUERIES, k->T), real = larger(first, smaller(end, rows_of(k, b)));
	float *lse = k->arg[1] ? (float *)k->arg[1] + head * k->T : NULL;
	const attention_head of_qkv = {third(k, k->arg[2], b, h, 0), third(k, k->arg[2], b, h, 1), third(k, k->arg[2], b, h, 2),
		head_of(k, k->arg[0], b, h), lse, head, 0};
	if (real > first) attention_queries(k, &of_qkv, first, real, worker);
	zero_rows(head_of(k, k->arg[0], b, h), real, end, k->D);
	if (lse && end > real) memset(lse + real, 0, (size_t)(end - real) * sizeof(float));
}

static int attention(team *t, const atoll_call *c, void *const *arg, char *error) {
	attention_call k = attention_of(t, c, arg, arg[3], arg[4]);
	if (check_lengths(k.lengths, k.B, k.T, error)) return 1;
	if (attention_rooms(&k, attention_floats(&k), error)) return 1;
	team_for(t, k.B * k.H * pieces(k.T, QUERIES), attention_item, &k);
	return 0;
}

#endif
