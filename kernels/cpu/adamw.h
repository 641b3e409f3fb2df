// The end of a step: AdamW, which reads and writes memory once.
#ifndef ATOLL_ADAMW_H
#define ATOLL_ADAMW_H

#include "checks.h"
#include "lanes.h"
#include "philox.h"

// One update: the tensors, and the step's numbers in the form in which an element needs them.
typedef struct {
	float *w, *m, *v;
	const float *g;
	int64_t n;
	float scale, keep, rate, beta1, beta2, rest1, rest2, root, epsilon;
	int rounds; // weights to bf16, by the words of random
	philox random;
} adamw_update;

// adamw_settings gives w = keep*w - rate*m/(sqrt(v)*root + epsilon), where keep = 1 - lr*decay, rate = lr/correction1 and
// root = 1/sqrt(correction2). scale undoes that of the loss and clips.
static adamw_update adamw_settings(const float *s, float unscaled, const float *step) {
	double inverse = step[STEP_INVERSE_SCALE], norm = unscaled * inverse, lr = step[STEP_LEARNING_RATE], clip = s[4];
	adamw_update u = {.scale = (float)inverse};
	if (clip > 0 && clip / (norm + 1e-6) < 1) u.scale = (float)(clip / (norm + 1e-6) * inverse);
	u.keep = (float)(1 - lr * (double)s[3]);
	u.rate = (float)(lr / (double)step[STEP_CORRECTION1]);
	u.beta1 = s[0];
	u.beta2 = s[1];
	u.rest1 = (float)(1 - (double)s[0]);
	u.rest2 = (float)(1 - (double)s[1]);
	u.root = (float)(1 / __builtin_sqrt((double)step[STEP_CORRECTION2]));
	u.epsilon = s[2];
	return u;
}

// vround_by is kernels/ref's RoundByChance: x to one of the bf16 numbers around it by the upper half of a random word.
inl vf vround_by(vf x, vu word) {
	vu bits = (vu)x, magnitude = bits & vset_u(0x7fffffff);
	bits += vsel_u(magnitude < vset_u(0x7f7f0000), word >> 16, vset_u(0));
	bits |= vsel_u(magnitude > vset_u(0x7f800000), vset_u(0x400000), vset_u(0));
	return (vf)(bits & vset_u(0xffff0000));
}

// adamw_elements updates from..end-1; from is a multiple of VL, and where it rounds of ELEMENTS.
inl void adamw_elements(const adamw_update *u, int64_t from, int64_t end, int rounds) {
	enum { WORDS = 4 * VL };
	vf scale = vset(u->scale), keep = vset(u->keep), rate = vset(u->rate), root = vset(u->root), epsilon = vset(u->epsilon);
	vf beta1 = vset(u->beta1), beta2 = vset(u->beta2), rest1 = vset(u->rest1), rest2 = vset(u->rest2);
	uint32_t words[WORDS];
	for (int64_t i = from; i < end; i += VL) {
		vf g = vload_to(u->g, i, end) * scale;
		vf m = vfma(beta1, vload_to(u->m, i, end), rest1 * g);
		vf v = vfma(beta2, vload_to(u->v, i, end), rest2 * g * g);
		vf w = vload_to(u->w, i, end) * keep - rate * m / vfma(vsqrt(v), root, epsilon);
		if (rounds) {
			if (i % WORDS == 0) philox_words(words, &u->random, (uint64_t)i / 4);
			vu word;
			memcpy(&word, words + i % WORDS, sizeof word);
			w = vround_by(w, word);
		}
		vstore_to(u->m, i, m, end);
		vstore_to(u->v, i, v, end);
		vstore_to(u->w, i, w, end);
	}
}

static void adamw_piece(void *of, int64_t piece, int worker) {
	(void)worker;
	const adamw_update *u = of;
	int64_t from = piece * ELEMENTS, end = smaller(from + ELEMENTS, u->n);
	if (u->rounds) adamw_elements(u, from, end, 1);
	else adamw_elements(u, from, end, 0);
}

static int finite_value(const float *x) { return *x - *x == 0; }

// adamw changes nothing where the loss or the norm is not finite: the trainer stops there with the model unharmed.
static int adamw(team *t, const atoll_call *c, void *const *arg, char *error) {
	(void)error;
	if (!finite_value(arg[4]) || !finite_value(arg[5])) return 0;
	adamw_update u = adamw_settings(c->scalars, *(const float *)arg[4], arg[6]);
	u.w = arg[0], u.m = arg[1], u.v = arg[2], u.g = arg[3], u.n = c->dims[0];
	u.rounds = arg[7] != NULL;
	if (u.rounds) u.random = philox_of(arg[7], c->dims[1], 0);
	team_for(t, pieces(u.n, ELEMENTS), adamw_piece, &u);
	return 0;
}

#endif
