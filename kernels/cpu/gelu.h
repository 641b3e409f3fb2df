// The tanh form of GELU, as kernels/ref has it, written with the logistic function: (1 + tanh u)/2 = 1/(1 + e^-2u).
#ifndef ATOLL_GELU_H
#define ATOLL_GELU_H

#include "lanes.h"

#define GELU_SCALE 0.7978845608028654f // sqrt(2/pi)
#define GELU_CUBIC 0.044715f
#define GELU_FLAT 10.0f // from here on e^-2|u|, which is 2^-126 then, is taken for 0

// gelu_decay gives e^-2|u| for u = scale*(x + cubic*x^3) from size = min(|x|, GELU_FLAT), as a power of two; 0 for a NaN. n vectors go
// side by side (vector.h).
inl void gelu_decay(const vf size[SIDE_BY_SIDE], vf decay[SIDE_BY_SIDE], const int n) {
	EACH(n) decay[i] = size[i] * vfma(size[i] * size[i], vset(-2 * GELU_SCALE * GELU_CUBIC * LOG2_E), vset(-2 * GELU_SCALE * LOG2_E));
	vexp2_each(decay, n);
	EACH(n) decay[i] = (vf)((vi)decay[i] & (size[i] < vset(GELU_FLAT)));
}

// gelu_each replaces n vectors by their GELU, x times the gate 1/(1 + e^-2u): 1/(1+d) for the decay d where x is positive, d/(1+d)
// where it is negative.
inl void gelu_each(vf x[SIDE_BY_SIDE], const int n) {
	vf size[SIDE_BY_SIDE], decay[SIDE_BY_SIDE];
	EACH(n) size[i] = vmin(vset(GELU_FLAT), vabs(x[i]));
	gelu_decay(size, decay, n);
	EACH(n) x[i] *= vsel_sign(x[i], decay[i], vset(1)) / (vset(1) + decay[i]);
}

// gelu_slope_each replaces n vectors by the derivative s + 2x·s(1-s)·u' for the gate s. s(1-s) is d/(1+d)^2, which loses no digits
// where s is almost 1. x·u' would overflow far from 0, and the 0 that it is multiplied by there would make it no number.
inl void gelu_slope_each(vf x[SIDE_BY_SIDE], const int n) {
	vf size[SIDE_BY_SIDE], decay[SIDE_BY_SIDE], r[SIDE_BY_SIDE], rest[SIDE_BY_SIDE], slope[SIDE_BY_SIDE];
	EACH(n) x[i] = vmin(vset(GELU_FLAT), vmax(vset(-GELU_FLAT), x[i]));
	EACH(n) size[i] = vabs(x[i]);
	gelu_decay(size, decay, n);
	EACH(n) r[i] = vset(1) / (vset(1) + decay[i]);
	EACH(n) rest[i] = decay[i] * r[i];
	EACH(n) slope[i] = vfma(x[i] * x[i], vset(6 * GELU_SCALE * GELU_CUBIC), vset(2 * GELU_SCALE));
	EACH(n) x[i] = vfma(x[i] * slope[i], rest[i] * r[i], vsel_sign(x[i], rest[i], r[i]));
}

// The element-wise kernels take SIDE_BY_SIDE vectors, then what is left of the piece one by one.
inl void gelu_forward_some(const bound_call *b, int64_t at, int64_t end, uint32_t dtype, const int n) {
	vf x[SIDE_BY_SIDE];
	EACH(n) x[i] = vload_act_to(b->arg[1], at + i * VL, end, dtype);
	gelu_each(x, n);
	EACH(n) vstore_act_to(b->arg[0], at + i * VL, x[i], end, dtype);
}

inl void gelu_forward_as(const bound_call *b, int64_t i, int64_t end, uint32_t dtype) {
	for (; i + SIDE_BY_SIDE * VL <= end; i += SIDE_BY_SIDE * VL) gelu_forward_some(b, i, end, dtype, SIDE_BY_SIDE);
	for (; i < end; i += VL) gelu_forward_some(b, i, end, dtype, 1);
}

static void gelu_forward_body(void *arg, int64_t piece, int worker) {
	const bound_call *b = arg;
	(void)worker;
	BY_DTYPE(b->c->precision, gelu_forward_as, b, piece * ELEMENTS, smaller((piece + 1) * ELEMENTS, b->c->dims[0]));
}

// out = gelu(pre)
static int gelu_forward(team *t, const atoll_call *c, void *const *arg, char *error) {
	bound_call b = {c, arg};
	(void)error;
	team_for(t, pieces(c->dims[0], ELEMENTS), gelu_forward_body, &b);
	return 0;
}

inl void gelu_backward_some(const bound_call *b, int64_t at, int64_t end, uint32_t dtype, const int n) {
	vf x[SIDE_BY_SIDE];
	EACH(n) x[i] = vload_act_to(b->arg[2], at + i * VL, end, dtype);
	gelu_slope_each(x, n);
	EACH(n) vstore_act_to(b->arg[0], at + i * VL, vload_act_to(b->arg[1], at + i * VL, end, dtype) * x[i], end, dtype);
}

inl void gelu_backward_as(const bound_call *b, int64_t i, int64_t end, uint32_t dtype) {
	for (; i + SIDE_BY_SIDE * VL <= end; i += SIDE_BY_SIDE * VL) gelu_backward_some(b, i, end, dtype, SIDE_BY_SIDE);
	for (; i < end; i += VL) gelu_backward_some(b, i, end, dtype, 1);
}

static void gelu_backward_body(void *arg, int64_t piece, int worker) {
	const bound_call *b = arg;
	(void)worker;
	BY_DTYPE(b->c->precision, gelu_backward_as, b, piece * ELEMENTS, smaller((piece + 1) * ELEMENTS, b->c->dims[0]));
}

// dpre = dy * gelu'(pre)
static int gelu_backward(team *t, const atoll_call *c, void *const *arg, char *error) {
	bound_call b = {c, arg};
	(void)error;
	team_for(t, pieces(c->dims[0], ELEMENTS), gelu_backward_body, &b);
	return 0;
}

#endif
