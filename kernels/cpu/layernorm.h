// Layer norm and its gradient. A row is read from memory once and stays in the cache for the passes over it.
#ifndef ATOLL_LAYERNORM_H
#define ATOLL_LAYERNORM_H

#include "checks.h"
#include "lanes.h"

// SIDE vectors are summed side by side, which hides the latency of an addition.
enum { SIDE = 4 };

inl float row_mean(const void *x, int64_t at, int64_t C, uint32_t dtype) {
	vf sum[SIDE] = {0};
	int64_t i = 0;
	for (; i + SIDE * VL <= C; i += SIDE * VL)
		for (int s = 0; s < SIDE; s++) sum[s] += vload_act(x, at + i + s * VL, dtype);
	for (; i < C; i += VL) sum[0] += vload_act_to(x, at + i, at + C, dtype);
	return vsum((sum[0] + sum[1]) + (sum[2] + sum[3])) / (float)C;
}

// row_variance sums differences from the mean: the difference of E[x^2] and E[x]^2 would cancel.
inl float row_variance(const void *x, int64_t at, int64_t C, float mean, uint32_t dtype) {
	vf sum[SIDE] = {0}, m = vset(mean);
	int64_t i = 0;
	for (; i + SIDE * VL <= C; i += SIDE * VL)
		for (int s = 0; s < SIDE; s++) {
			vf d = vload_act(x, at + i + s * VL, dtype) - m;
			sum[s] = vfma(d, d, sum[s]);
		}
	for (; i < C; i += VL) {
		vf d = vload_act_to(x, at + i, at + C, dtype) - m;
		d = vsel(viota() < (int32_t)smaller(C - i, VL), d, vzero());
		sum[0] = vfma(d, d, sum[0]);
	}
	return vsum((sum[0] + sum[1]) + (sum[2] + sum[3])) / (float)C;
}

inl void layernorm_rows(const bound_call *k, int64_t from, int64_t end, uint32_t dtype) {
	int64_t C = k->c->dims[1];
	float *means = k->arg[1], *rstds = k->arg[2];
	const float *g = k->arg[4], *b = k->arg[5];
	for (int64_t n = from; n < end; n++) {
		int64_t at = n * C;
		float mean = row_mean(k->arg[3], at, C, dtype);
		float rstd = 1 / __builtin_sqrtf(row_variance(k->arg[3], at, C, mean, dtype) + k->c->scalars[0]);
		vf m = vset(mean), r = vset(rstd);
		for (int64_t i = 0; i < C; i += VL) {
			vf normal = (vload_act_to(k->arg[3], at + i, at + C, dtype) - m) * r;
			vstore_act_to(k->arg[0], at + i, vfma(normal, vload_to(g, i, C), vload_to(b, i, C)), at + C, dtype);
		}
		if (means) means[n] = mean;
		if (rstds) rstds[n] = rstd;
	}
}

static void layernorm_piece(void *of, int64_t piece, int worker) {
	(void)worker;
	const bound_call *k = of;
	int64_t rows = rows_at_once(k->c->dims[1]), from = piece * rows, end = smaller(from + rows, k->c->dims[0]);
	BY_DTYPE(k->c->precision, layernorm_rows, k, from, end);
}

static int layernorm(team *t, const atoll_call *c, void *const *arg, char *error) {
	(void)error;
	bound_call k = {c, arg};
	team_for(t, pieces(c->dims[0], rows_at_once(c->dims[1])), layernorm_piece, &k);
	return 0;
}

// PARTIAL_ROWS have their dg and db summed together. The number is fixed, so the order of the sum is too.
enum { PARTIAL_ROWS = 32, REDUCED_COLUMNS = 64 };

typedef struct {
	bound_call call;
	float *partial; // for each PARTIAL_ROWS: C sums for dg, C for db; NULL where neither is asked for
} layernorm_gradient;

// One row of the gradient: what a pass over it needs.
typedef struct {
	const void *dy, *x;
	const float *g;
	int64_t at, C;
	float mean, rstd;
} norm_row;

// layernorm_averages gives the averages of d = dy*g and of d*xhat over a row, and adds dy*xhat and dy to the partial sums.
inl void layernorm_averages(const norm_row *row, float *dg, float *db, float *d_average, float *dx_average, uint32_t dtype) {
	vf sum = vzero(), product = vzero(), m = vset(row->mean), r = vset(row->rstd);
	for (int64_t i = 0; i < row->C; i += VL) {
		int64_t at = row->at + i, end = row->at + row->C;
		vf dy = vload_act_to(row->dy, at, end, dtype), xhat = (vload_act_to(row->x, at, end, dtype) - m) * r;
		vf d = dy * vload_to(row->g, i, row->C); // zeros beyond the end of the row
		sum += d;
		product = vfma(d, xhat, product);
		if (dg) vstore_to(dg, i, vfma(dy, xhat, vload_to(dg, i, row->C)), row->C);
		if (db) vstore_to(db, i, dy + vload_to(db, i, row->C), row->C);
	}
	*d_average = vsum(sum) / (float)row->C;
	*dx_average = vsum(product) / (float)row->C;
}

inl void layernorm_backward_rows(const layernorm_gradient *k, int64_t piece, uint32_t dtype) {
	void *const *arg = k->call.arg;
	int64_t C = k->call.c->dims[1], end = smaller((piece + 1) * PARTIAL_ROWS, k->call.c->dims[0]);
	float *dg = k->partial ? k->partial + piece * 2 * C : NULL, *db = dg ? dg + C : NULL;
	if (dg) memset(dg, 0, (size_t)(2 * C) * sizeof *dg);
	for (int64_t n = piece * PARTIAL_ROWS; n < end; n++) {
		norm_row row = {arg[3], arg[4], arg[5], n * C, C, ((const float *)arg[6])[n], ((const float *)arg[7])[n]};
		float d_average, dx_average;
		layernorm_averages(&row, dg, db, &d_average, &dx_average, dtype);
		vf m = vset(row.mean), r = vset(row.rstd), a = vset(d_average), b = vset(dx_average);
		for (int64_t i = 0; i < C; i += VL) {
			int64_t at = row.at + i, stop = row.at + C;
			vf xhat = (vload_act_to(row.x, at, stop, dtype) - m) * r;
			vf d = vload_act_to(row.dy, at, stop, dtype) * vload_to(row.g, i, C);
			vf dx = r * vfma(-xhat, b, d - a);
			if (arg[8]) dx += vload_act_to(arg[8], at, stop, dtype);
			vstore_act_to(arg[0], at, dx, stop, dtype);
		}
	}
}

static void layernorm_backward_piece(void *of, int64_t piece, int worker) {
	(void)worker;
	const layernorm_gradient *k = of;
	BY_DTYPE(k->call.c->precision, layernorm_backward_rows, k, piece);
}

// layernorm_reduce adds the partial sums of some columns, in the order of the rows.
static void layernorm_reduce(void *of, int64_t piece, int worker) {
	(void)worker;
	const layernorm_gradient *k = of;
	void *const *arg = k->call.arg;
	int64_t C = k->call.c->dims[1], partials = pieces(k->call.c->dims[0], PARTIAL_ROWS);
	int64_t from = piece * REDUCED_COLUMNS, end = smaller(from + REDUCED_COLUMNS, C);
	int add_to = accumulates(k->call.c->dims[2], arg[9]);
	for (int which = 0; which < 2; which++) {
		float *out = arg[1 + which];
		for (int64_t i = from; out && i < end; i += VL) {
			vf sum = vzero();
			for (int64_t p = 0; p < partials; p++) sum += vload_to(k->partial + (2 * p + which) * C, i, end);
			vstore_to(out, i, add_to ? vload_to(out, i, end) + sum : sum, end);
		}
	}
}

static int layernorm_backward(team *t, const atoll_call *c, void *const *arg, char *error) {
	layernorm_gradient k = {{c, arg}, NULL};
	int64_t partials = pieces(c->dims[0], PARTIAL_ROWS);
	if (arg[1] || arg[2]) {
		size_t bytes = (size_t)(larger(partials, 1) * 2 * c->dims[1]) * sizeof(float);
		k.partial = team_shared(t, bytes);
		if (!k.partial) return out_of_memory(error, bytes);
	}
	team_for(t, partials, layernorm_backward_piece, &k);
	if (k.partial) team_for(t, pieces(c->dims[1], REDUCED_COLUMNS), layernorm_reduce, &k);
	return 0;
}

#endif
