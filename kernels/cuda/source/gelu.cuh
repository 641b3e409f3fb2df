// The tanh form of GELU and its derivative, as kernels/ref has them, written with the logistic function:
// (1 + tanh u)/2 = 1/(1 + e^-2u) for u = scale*(x + cubic*x^3).
#pragma once

#include "device.cuh"

static constexpr float GELU_SCALE = 0.7978845608028654f; // sqrt(2/pi)
static constexpr float GELU_CUBIC = 0.044715f;
static constexpr float GELU_FLAT = 16; // from here on e^-2|u| is 0

// gelu_decay is e^-2|u|.
static __device__ inline float gelu_decay(float x) {
	return expf(fabsf(x) * fmaf(x * x, -2 * GELU_SCALE * GELU_CUBIC, -2 * GELU_SCALE));
}

// reciprocal is 1/y for y from 1 to 2: a division would branch, and keep a thread from working on several values at once.
static __device__ inline float reciprocal(float y) {
	float r = __fdividef(1.0f, y);
	return fmaf(r, fmaf(-y, r, 1.0f), r);
}

// With d the decay, the gate 1/(1 + e^-2u) is 1/(1+d) where x is positive and d/(1+d) where it is negative.
static __device__ inline float gelu(float x) {
	float d = gelu_decay(x);
	return x * ((x < 0 ? d : 1.0f) * reciprocal(1.0f + d));
}

// gelu_derivative is s + 2x*s(1-s)*u' for the gate s. s(1-s) is d/(1+d)^2, which loses no digits where s is almost 1. u' would
// overflow far from 0, and the 0 that it is multiplied by there would make it no number.
static __device__ inline float gelu_derivative(float x) {
	float d = gelu_decay(x), r = reciprocal(1.0f + d);
	float slope = fmaf(fminf(x * x, GELU_FLAT * GELU_FLAT), 6 * GELU_SCALE * GELU_CUBIC, 2 * GELU_SCALE);
	return fmaf(x * (d * r * r), slope, (x < 0 ? d : 1.0f) * r);
}
