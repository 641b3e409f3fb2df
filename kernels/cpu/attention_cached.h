// Attention of new rows over a cache of keys and values, for generating text. Few new rows are computed one at a time with the row in
// the lanes: the work is bound by reading the cache, which happens once. Many, such as a prompt has, go through the tiles of attention.h.
#ifndef ATOLL_ATTENTION_CACHED_H
#define ATOLL_ATTENTION_CACHED_H

#include "attention.h"

enum { WIDE = 8 };           // vectors of an output row that are summed at once
enum { FEW_NEW = PANEL / 4 }; // so many new rows leave most of a panel empty

typedef struct {
	attention_call call;
	int64_t start, P;
} cached_call;

// cached_scores writes the scores of query [D] with n rows of keys, VL at a time: VL sums of products side by side,
// transposed and added.
inl void cached_scores(float *scores, const float *query, head_slice keys, int64_t n, int64_t D, uint32_t dtype) {
	for (int64_t s = 0; s < n; s += VL) {
		vf sum[VL] = {0};
		for (int64_t i = 0; i < D; i += VL) {
			vf q = vload(query + i);
			for (int64_t r = 0; r < VL; r++) {
				int64_t at = keys.at + smaller(s + r, n - 1) * keys.stride; // beyond the end the last row again
				sum[r] = vfma(q, vload_act_to(keys.start, at + i, at + D, dtype), sum[r]);
			}
		}
		vtranspose(sum);
		for (int r = 1; r < VL; r++) sum[0] += sum[r];
		vstore(scores + s, sum[0]);
	}
}

// cached_softmax turns n scores into probabilities.
static void cached_softmax(float *scores, int64_t n) {
	float largest = -__builtin_inff();
	for (int64_t s = 0; s < n; s++) largest = scores[s] > largest ? scores[s] : largest;
	vf total = vzero(), m = vset(largest);
	for (int64_t s = 0; s < n; s += VL) {
		vf p = vexp(vload(scores + s) - m);
		p = vsel(viota() < (int32_t)smaller(n - s, VL), p, vzero());
		vstore(scores + s, p);
		total += p;
	}
	vf inverse = vset(1 / vsum(total));
	for (int64_t s = 0; s < n; s += VL) vstore(scores + s, vload(scores + s) * inverse);
}

// cached_average writes the average of n rows of values, weighted by p, to row [D rounded up].
inl void cached_average(float *row, const float *p, head_slice values, int64_t n, int64_t D, uint32_t dtype) {
	for (int64_t first = 0; first < D; first += WIDE * VL) {
		vf sum[WIDE] = {0};
		int64_t end = smaller(first + WIDE * VL, D), whole = (end - first) / VL;
		for (int64_t s = 0; s < n; s++) {
			int64_t at = values.at + s * values.stride + first;
			vf weight = vset(p[s]);
			if (whole == WIDE)
				for (int v = 0; v < WIDE; v++) sum[v] = vfma(weight, vload_act(values.start, at + v * VL, dtype), sum[v]);
			else
				for (int64_t v = 0; v * VL < end - first; v++)
					sum[v] = vfma(weight, vload_act_to(values.start, at + v * VL, at + end - first, dtype), sum[v]);
		}
		for (int64_t v = 0; v * VL < end - first; v++) vstore(row + first + v * VL, sum[v]);
	}
}

// cached_head is head h of sequence b in a cache of P rows of C.
static head_slice cached_head(const cached_call *k, void *cache, int64_t b, int64_t h) {
	const attention_call *a = &k->call;
	return (head_slice){cache, b * k->P * a->C + h * a->D, a->C, a->c->precision};
}

// cached_copy appends the new keys and values of one sequence to the caches.
static void cached_copy(void *of, int64_t b, int worker) {
	(void)worker;
	const cached_call *k = of;
	const attention_call *a = &k->call;
	size_t size = a->c->precision == DT_F32 ? 4 : 2, row = (size_t)a->C * size;
	for (int64_t t = 0; t < a->T; t++)
		for (int which = 1; which < 3; which++)
			memcpy((char *)a->arg[1 + which] + (size_t)(b * k->P + k->start + t) * row,
				(const char *)a->arg[1] + (size_t)((b * a->T + t) * 3 + which) * row, row);
}

// cached_query is one new row of one head.
static void cached_query(void *of, int64_t item, int worker) {
	const cached_call *k = of;
	const attention_call *a = &k->call;
	int64_t t = item % a->T, h = item / a->T % a->H, b = item / a->T / a->H, n = k->start + t + 1;
	float *at = room_of(a, worker), *row = place(&at, padded(a->D)), *scores = place(&at, padded(k->P));
	read_rows(row, padded(a->D), third(a, a->arg[1], b, h, 0), t, 1, a->D, a->scale);
	BY_DTYPE(a->c->precision, cached_scores, scores, row, cached_head(k, a->arg[2], b, h), n, a->D);
	cached_softmax(scores, n);
	BY_DTYPE(a->c->precision, cached_average, row, scores, cached_head(k, a->arg[3], b, h), n, a->D);
	write_rows(head_of(a, a->arg[0], b, h), t, row, padded(a->D), 1, a->D);
}

// cached_queries is QUERIES new rows of one head, as attention_item is.
static void cached_queries(void *of, int64_t item, int worker) {
	const cached_call *k = of;
	const attention_call *a = &k->call;
	const int64_t blocks = pieces(a->T, QUERIES), head = item / blocks, b = head / a->H, h = head % a->H;
	const int64_t first = (blocks - 1 - item % blocks) * QUERIES;
	const attention_head of_cache = {third(a, a->arg[1], b, h, 0), cached_head(k, a->arg[2], b, h), cached_head(k, a->arg[3], b, h),
		head_of(a, a->arg[0], b, h), NULL, head, k->start};
	attention_queries(a, &of_cache, first, smaller(first + QUERIES, a->T), worker);
}

static int attention_cached(team *t, const atoll_call *c, void *const *arg, char *error) {
	cached_call k = {.call = attention_of(t, c, arg, NULL, NULL), .P = c->dims[4]};
	attention_call *a = &k.call;
	if (check_start(arg[4], a->T, k.P, &k.start, error)) return 1;
	const int few = a->T <= FEW_NEW;
	if (attention_rooms(a, few ? line_floats(padded(a->D)) + line_floats(padded(k.P)) : attention_floats(a), error)) return 1;
	team_for(t, a->B, cached_copy, &k);
	if (few) team_for(t, a->B * a->H * a->T, cached_query, &k);
	else team_for(t, a->B * a->H * pieces(a->T, QUERIES), cached_queries, &k);
	return 0;
}

#endif
