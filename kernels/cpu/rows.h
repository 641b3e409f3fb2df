// Kernels that go over their elements once: add, dropout, and the pooling of a sequence's last row.
#ifndef ATOLL_ROWS_H
#define ATOLL_ROWS_H

#include "checks.h"
#include "embed.h"
#include "lanes.h"
#include "layernorm.h"
#include "philox.h"

inl void add_elements(void *out, const void *a, const void *b, int64_t from, int64_t end, uint32_t dtype) {
	for (int64_t i = from; i < end; i += VL)
		vstore_act_to(out, i, vload_act_to(a, i, end, dtype) + vload_act_to(b, i, end, dtype), end, dtype);
}

static void add_piece(void *of, int64_t piece, int worker) {
	(void)worker;
	const bound_call *k = of;
	int64_t from = piece * ELEMENTS, end = smaller(from + ELEMENTS, k->c->dims[0]);
	BY_DTYPE(k->c->precision, add_elements, k->arg[0], k->arg[1], k->arg[2], from, end);
}

static int add(team *t, const atoll_call *c, void *const *arg, char *error) {
	(void)error;
	bound_call k = {c, arg};
	team_for(t, pieces(c->dims[0], ELEMENTS), add_piece, &k);
	return 0;
}

inl void dropout_elements(void *y, const void *x, const void *res, const philox *p, int64_t from, int64_t end,
	uint32_t dtype) {
	enum { BLOCK = 512 };
	float factor[BLOCK + VL];
	for (int64_t start = from; start < end; start += BLOCK) {
		int64_t stop = smaller(start + BLOCK, end);
		philox_factors(factor, p, (uint64_t)start, stop - start);
		for (int64_t i = start; i < stop; i += VL) {
			vf v = vload_act_to(x, i, stop, dtype) * vload(factor + (i - start));
			if (res) v += vload_act_to(res, i, stop, dtype);
			vstore_act_to(y, i, v, stop, dtype);
		}
	}
}

static void dropout_piece(void *of, int64_t piece, int worker) {
	(void)worker;
	const bound_call *k = of;
	philox p = philox_of(k->arg[3], k->c->dims[1], k->c->scalars[0]);
	int64_t from = piece * ELEMENTS, end = smaller(from + ELEMENTS, k->c->dims[0]);
	BY_DTYPE(k->c->precision, dropout_elements, k->arg[0], k->arg[1], k->arg[2], &p, from, end);
}

static int dropout(team *t, const atoll_call *c, void *const *arg, char *error) {
	(void)error;
	bound_call k = {c, arg};
	team_for(t, pieces(c->dims[0], ELEMENTS), dropout_piece, &k);
	return 0;
}

// pool_row copies the last real row of sequence b, or zeros where it has none.
static void pool_row(void *of, int64_t b, int worker) {
	(void)worker;
	const bound_call *k = of;
	int64_t T = k->c->dims[1], C = k->c->dims[2], last = ((const int32_t *)k->arg[2])[b] - 1;
	float *out = (float *)k->arg[0] + b * C;
	for (int64_t i = 0; i < C; i++) out[i] = last < 0 ? 0 : load_act(k->arg[1], (b * T + last) * C + i, k->c->precision);
}

static int pool(team *t, const atoll_call *c, void *const *arg, char *error) {
	if (check_lengths(arg[2], c->dims[0], c->dims[1], error)) return 1;
	bound_call k = {c, arg};
	team_for(t, c->dims[0], pool_row, &k);
	return 0;
}

static void pool_backward_row(void *of, int64_t b, int worker) {
	(void)worker;
	const bound_call *k = of;
	int64_t T = k->c->dims[1], C = k->c->dims[2], last = ((const int32_t *)k->arg[2])[b] - 1;
	size_t size = k->c->precision == DT_F32 ? 4 : 2;
	memset((char *)k->arg[0] + (size_t)(b * T * C) * size, 0, (size_t)(T * C) * size);
	const float *dout = (const float *)k->arg[1] + b * C;
	for (int64_t i = 0; last >= 0 && i < C; i++) store_act(k->arg[0], (b * T + last) * C + i, dout[i], k->c->precision);
}

static int pool_backward(team *t, const atoll_call *c, void *const *arg, char *error) {
	if (check_lengths(arg[2], c->dims[0], c->dims[1], error)) return 1;
	bound_call k = {c, arg};
	team_for(t, c->dims[0], pool_backward_row, &k);
	return 0;
}

#endif
