// The norm of gradients that nothing else has given the norm of.
#ifndef ATOLL_GRAD_NORM_H
#define ATOLL_GRAD_NORM_H

#include "checks.h"
#include "lanes.h"

// NORM_PIECE gradients are summed by one worker; the number is fixed, so the order of the sum is too. NORM_AHEAD is how many gradients
// ahead are fetched: the processor stops foreseeing at the end of a page.
enum { NORM_PIECE = 16384, NORM_SIDE = 4, NORM_AHEAD = 256 };

typedef struct {
	const float *grads;
	int64_t n;
	double *sums; // one for each piece
} gradient_norm;

// squares_of sums squares in double: a float's square would overflow from 1.8e19 on, and far earlier lose small ones.
static double squares_of(const float *x, int64_t n) {
	int64_t i = 0;
	vd sum[NORM_SIDE] = {0};
	for (; i + NORM_SIDE * VL / 2 <= n; i += NORM_SIDE * VL / 2) {
		__builtin_prefetch(x + i + NORM_AHEAD, 0, 3);
		for (int s = 0; s < NORM_SIDE; s++) {
			const vd g = vload_d(x + i + s * VL / 2);
			sum[s] += g * g;
		}
	}
	double total = vsum_d((sum[0] + sum[1]) + (sum[2] + sum[3]));
	for (; i < n; i++) total += (double)x[i] * (double)x[i];
	return total;
}

static void norm_piece(void *of, int64_t piece, int worker) {
	(void)worker;
	const gradient_norm *k = of;
	const int64_t from = piece * NORM_PIECE;
	k->sums[piece] = squares_of(k->grads + from, smaller(NORM_PIECE, k->n - from));
}

// norm_with gives the norm of n gradients and of numbers whose squares sum to total.
static int norm_with(team *t, double total, const float *grads, int64_t n, float *norm, char *error) {
	const int64_t count = pieces(n, NORM_PIECE);
	const size_t bytes = (size_t)larger(count, 1) * sizeof(double);
	gradient_norm k = {grads, n, team_shared(t, bytes)};
	if (!k.sums) return out_of_memory(error, bytes);
	team_for(t, count, norm_piece, &k);
	for (int64_t i = 0; i < count; i++) total += k.sums[i];
	*norm = (float)__builtin_sqrt(total);
	return 0;
}

static int grad_norm(team *t, const atoll_call *c, void *const *arg, char *error) {
	return norm_with(t, 0, arg[1], c->dims[0], arg[0], error);
}

// grad_norm_rest: the norms are those that linear.dw.norm and grad.norm have given.
static int grad_norm_rest(team *t, const atoll_call *c, void *const *arg, char *error) {
	const float *norms = arg[2];
	double total = 0;
	for (int64_t i = 0; i < c->dims[1]; i++) total += (double)norms[i] * norms[i];
	return norm_with(t, total, arg[1], c->dims[0], arg[0], error);
}

#endif
