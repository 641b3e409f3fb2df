// The losses of a classifier. They are small, so the calling thread computes them alone.
#ifndef ATOLL_LOSSES_H
#define ATOLL_LOSSES_H

#include <math.h>

#include "checks.h"

// put_loss stores the sum of the rows times the step's scale.
static void put_loss(float *loss, double rows, int64_t mode, const float *step) {
	double value = rows * (double)step[STEP_LOSS_SCALE];
	*loss = (float)(accumulates(mode, step) ? (double)*loss + value : value);
}

// class_row is weight * (log sum exp(x) - x[label]); it writes weight * scale * (softmax(x) - onehot) where dx is given.
static double class_row(const float *x, int64_t K, int32_t label, double weight, float scale, float *dx) {
	double largest = -INFINITY, total = 0;
	for (int64_t i = 0; i < K; i++) largest = x[i] > largest ? x[i] : largest;
	for (int64_t i = 0; i < K; i++) total += exp(x[i] - largest);
	for (int64_t i = 0; dx && i < K; i++)
		dx[i] = (float)(weight * scale * (exp(x[i] - largest) / total - (i == label)));
	return weight * (largest + log(total) - x[label]);
}

static int class_loss(team *t, const atoll_call *c, void *const *arg, char *error) {
	(void)t;
	int64_t B = c->dims[0], K = c->dims[1];
	float *rows = arg[1], *dlogits = arg[2];
	const int32_t *labels = arg[4];
	const float *logits = arg[3], *weights = arg[5], *step = arg[6];
	if (check_indexes("label", labels, B, 1, "K", K, error)) return 1;
	double total = 0;
	for (int64_t b = 0; b < B; b++) {
		float *dx = dlogits ? dlogits + b * K : NULL;
		double value = 0;
		if (labels[b] >= 0) {
			double weight = weights ? weights[labels[b]] : 1;
			value = class_row(logits + b * K, K, labels[b], weight, step[STEP_LOSS_SCALE], dx);
		} else if (dx) {
			memset(dx, 0, (size_t)K * sizeof *dx);
		}
		if (rows) rows[b] = (float)value;
		total += value;
	}
	put_loss(arg[0], total, c->dims[2], step);
	return 0;
}

// binary_entry is -(w*y*log sigmoid(x) + (1-y)*log(1-sigmoid(x))) in a form that does not overflow, and its derivative.
static double binary_entry(double x, double y, double weight, double *slope) {
	double factor = 1 + (weight - 1) * y, softplus = (x < 0 ? -x : 0) + log1p(exp(-fabs(x)));
	*slope = 1 - y - factor / (1 + exp(x));
	return (1 - y) * x + factor * softplus;
}

static int binary_loss(team *t, const atoll_call *c, void *const *arg, char *error) {
	(void)t;
	(void)error;
	int64_t B = c->dims[0], K = c->dims[1];
	float *rows = arg[1], *dlogits = arg[2];
	const float *logits = arg[3], *targets = arg[4], *weights = arg[5], *step = arg[6];
	double total = 0;
	for (int64_t b = 0; b < B; b++) {
		double row = 0;
		for (int64_t i = b * K; i < (b + 1) * K; i++) {
			double value = 0, slope = 0;
			if (targets[b * K] >= 0) value = binary_entry(logits[i], targets[i], weights ? weights[i - b * K] : 1, &slope);
			if (dlogits) dlogits[i] = (float)(slope * step[STEP_LOSS_SCALE]);
			row += value;
		}
		if (rows) rows[b] = (float)row;
		total += row;
	}
	put_loss(arg[0], total, c->dims[2], step);
	return 0;
}

#endif
