// The sum of a token's and a position's embedding, and its gradient.
#ifndef ATOLL_EMBED_H
#define ATOLL_EMBED_H

#include "checks.h"
#include "lanes.h"

typedef struct {
	bound_call call;
	int64_t start; // position of the first row
} embedding;

inl void embed_rows(const embedding *k, int64_t from, int64_t end, uint32_t dtype) {
	int64_t T = k->call.c->dims[1], C = k->call.c->dims[2];
	const int32_t *tokens = k->call.arg[1];
	for (int64_t n = from; n < end; n++) {
		const float *token = (const float *)k->call.arg[2] + tokens[n] * C;
		const float *position = (const float *)k->call.arg[3] + (k->start + n % T) * C;
		for (int64_t i = 0; i < C; i += VL)
			vstore_act_to(k->call.arg[0], n * C + i, vload_to(token, i, C) + vload_to(position, i, C), n * C + C, dtype);
	}
}

static void embed_piece(void *of, int64_t piece, int worker) {
	(void)worker;
	const embedding *k = of;
	const int64_t *dims = k->call.c->dims;
	int64_t rows = rows_at_once(dims[2]), from = piece * rows, end = smaller(from + rows, dims[0] * dims[1]);
	BY_DTYPE(k->call.c->precision, embed_rows, k, from, end);
}

static int embed(team *t, const atoll_call *c, void *const *arg, char *error) {
	embedding k = {{c, arg}, 0};
	int64_t N = c->dims[0] * c->dims[1];
	if (check_start(arg[4], c->dims[1], c->dims[4], &k.start, error)) return 1;
	if (check_indexes("token", arg[1], N, 0, "V", c->dims[3], error)) return 1;
	team_for(t, pieces(N, rows_at_once(c->dims[2])), embed_piece, &k);
	return 0;
}

// EMBED_COLUMNS of every row go to one worker, which adds them in the order of the rows: no two workers meet in an
// element, whatever the tokens are.
enum { EMBED_COLUMNS = 32 };

inl void embed_backward_columns(const bound_call *k, int64_t from, int64_t end, uint32_t dtype) {
	int64_t N = k->c->dims[0] * k->c->dims[1], T = k->c->dims[1], C = k->c->dims[2];
	const int32_t *tokens = k->arg[3];
	for (int64_t n = 0; n < N; n++) {
		float *token = (float *)k->arg[0] + tokens[n] * C, *position = (float *)k->arg[1] + n % T * C;
		for (int64_t i = from; i < end; i += VL) {
			vf d = vload_act_to(k->arg[2], n * C + i, n * C + end, dtype);
			vstore_to(token, i, vload_to(token, i, end) + d, end);
			vstore_to(position, i, vload_to(position, i, end) + d, end);
		}
	}
}

static void embed_backward_piece(void *of, int64_t piece, int worker) {
	(void)worker;
	const bound_call *k = of;
	int64_t from = piece * EMBED_COLUMNS, end = smaller(from + EMBED_COLUMNS, k->c->dims[2]);
	BY_DTYPE(k->c->precision, embed_backward_columns, k, from, end);
}

typedef struct {
	float *out;
	int64_t n;
} zeroing;

static void zero_piece(void *of, int64_t piece, int worker) {
	(void)worker;
	const zeroing *z = of;
	int64_t from = piece * ELEMENTS;
	memset(z->out + from, 0, (size_t)smaller(ELEMENTS, z->n - from) * sizeof *z->out);
}

static int embed_backward(team *t, const atoll_call *c, void *const *arg, char *error) {
	int64_t N = c->dims[0] * c->dims[1], C = c->dims[2];
	if (check_indexes("token", arg[3], N, 0, "V", c->dims[3], error)) return 1;
	for (int which = 0; which < 2; which++) {
		zeroing z = {arg[which], c->dims[3 + which] * C};
		if (!accumulates(c->dims[5 + which], arg[4])) team_for(t, pieces(z.n, ELEMENTS), zero_piece, &z);
	}
	bound_call k = {c, arg};
	team_for(t, pieces(C, EMBED_COLUMNS), embed_backward_piece, &k);
	return 0;
}

#endif
