// The tanh form of GELU, as kernels/ref has it, written with the logistic function: (1 + tanh u)/2 = 1/(1 + e^-2u).
#ifndef ATOLL_GELU_H
#define ATOLL_GELU_H

#include "lanes.h"

#define GELU_SCALE 0.7978845608028654f // sqrt(2/pi)
#define GELU_CUBIC 0.044715f
#define GELU_FLAT 16.0f // from here on e^-2|u| is 0

// gelu_decay is e^-2|u| for u = scale*(x + cubic*x^3).
inl vf gelu_decay(vf x) {
	vf u = vabs(x) * vfma(x * x, vset(-2 * GELU_SCALE * GELU_CUBIC), vset(-2 * GELU_SCALE));
	return vexp(u);
}

// With d the decay, the gate 1/(1 + e^-2u) is 1/(1+d) where x is positive and d/(1+d) where it is negative.
inl vf gelu_gate(vf x, vf d) { return vsel(x < vzero(), d, vset(1)) / (vset(1) + d); }

inl vf gelu(vf x) { return x * gelu_gate(x, gelu_decay(x)); }

// gelu_derivative is s + 2x·s(1-s)·u' for the gate s. s(1-s) is d/(1+d)^2, which loses no digits where s is almost 1. x·u' would
// overflow far from 0, and the 0 that it is multiplied by there would make it no number.
inl vf gelu_derivative(vf x) {
	vf d = gelu_decay(x), r = vset(1) / (vset(1) + d);
	vf near = vmin(vset(GELU_FLAT), vmax(vset(-GELU_FLAT), x));
	vf slope = vfma(near * near, vset(6 * GELU_SCALE * GELU_CUBIC), vset(2 * GELU_SCALE));
	return vfma(near * slope, d * r * r, vsel(x < vzero(), d, vset(1)) * r);
}

inl void gelu_forward_as(const bound_call *b, int64_t i, int64_t end, uint32_t dtype) {
	for (; i < end; i += VL) vstore_act_to(b->arg[0], i, gelu(vload_act_to(b->arg[1], i, end, dtype)), end, dtype);
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

inl void gelu_backward_as(const bound_call *b, int64_t i, int64_t end, uint32_t dtype) {
	for (; i < end; i += VL) {
		vf dy = vload_act_to(b->arg[1], i, end, dtype), pre = vload_act_to(b->arg[2], i, end, dtype);
		vstore_act_to(b->arg[0], i, dy * gelu_derivative(pre), end, dtype);
	}
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
