// The sum of a token's and a position's embedding, and its gradient.
#ifndef ATOLL_EMBED_H
#define ATOLL_EMBED_H

#include "grad_norm.h"

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

// set_bits gives the rows that tokens name one bit each, among words of 64; all others are 0.
static void set_bits(uint64_t *bits, int64_t words, const int32_t *tokens, int64_t n) {
	memset(bits, 0, (size_t)words * sizeof *bits);
	for (int64_t i = 0; i < n; i++) bits[tokens[i] / 64] |= 1ull << tokens[i] % 64;
}

typedef struct {
	const float *rows;
	const uint64_t *bits; // of the rows that count
	double *sums;         // one for each word of bits
	int64_t C;
} row_norms;

// norm_rows sums the squares of the rows of one word of bits.
static void norm_rows(void *of, int64_t word, int worker) {
	(void)worker;
	const row_norms *k = of;
	double sum = 0;
	for (uint64_t bits = k->bits[word]; bits; bits &= bits - 1) sum += squares_of(k->rows + (word * 64 + __builtin_ctzll(bits)) * k->C, k->C);
	k->sums[word] = sum;
}

// embed_backward_norm: rows that no token names are 0 where dwte was overwritten. Where it was added to by the step all rows count, and where it is
// always added to, those that tokens name.
static int embed_backward_norm(team *t, const atoll_call *c, void *const *arg, char *error) {
	if (embed_backward(t, c, arg, error)) return 1;
	const int64_t V = c->dims[3], words = pieces(V, 64);
	if (c->dims[5] != MODE_ACCUMULATE && accumulates(c->dims[5], arg[4])) return norm_with(t, 0, arg[0], V * c->dims[2], arg[5], error);
	const size_t bytes = (size_t)larger(words, 1) * (sizeof(double) + sizeof(uint64_t));
	double *sums = team_shared(t, bytes), total = 0;
	if (!sums) return out_of_memory(error, bytes);
	row_norms k = {arg[0], (uint64_t *)(sums + words), sums, c->dims[2]};
	set_bits((uint64_t *)(sums + words), words, arg[3], c->dims[0] * c->dims[1]);
	team_for(t, words, norm_rows, &k);
	for (int64_t i = 0; i < words; i++) total += sums[i];
	*(float *)arg[5] = (float)__builtin_sqrt(total);
	return 0;
}

#endif
