// Workers of unequal speed: what the team learns of them, and that products cut by it have the bits of one worker.
#define _DEFAULT_SOURCE
#if defined __ARM_NEON && defined __aarch64__
#include <arm_neon.h>
#elif defined __SSE2__
#include <emmintrin.h>
#endif

#define VL 4
#include "../run.h"
#include "../linear.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SAMPLES = 200, ROWS_MOST = 301, WIDTH_MOST = 600 };

// tell gives the team samples in which worker 0 is factor times as fast as each other one.
static void tell(team *t, double factor) {
	for (int sample = 0; sample < SAMPLES; sample++) {
		for (int w = 0; w < team_size(t); w++) team_tell(t, w, w == 0 ? factor : 1, 1);
		team_weigh(t);
	}
}

static int expect(team *t, const char *when, int worker, int64_t want) {
	const int64_t got = team_share(t, 1000, worker);
	return got == want ? 0 : printf("team of %d, %s: worker %d ends at %d of 1000, want %d\n", team_size(t), when, worker, (int)got, (int)want);
}

static int shares(void) {
	team *t = team_new(2);
	int wrong = expect(t, "untold", -1, 0) || expect(t, "untold", 0, 500) || expect(t, "untold", 1, 1000);
	tell(t, 1.5);
	wrong = wrong || expect(t, "3 to 2", 0, 600) || expect(t, "3 to 2", 1, 1000);
	team_tell(t, 0, 1, 1); // the other one did nothing: no sample
	team_weigh(t);
	wrong = wrong || expect(t, "3 to 2 and half a sample", 0, 600);
	tell(t, 100);
	wrong = wrong || expect(t, "100 to 1", 0, 750);
	tell(t, 1);
	wrong = wrong || expect(t, "1 to 1", 0, 500);
	team_free(t);
	return wrong;
}

static float x[ROWS_MOST * WIDTH_MOST], w[WIDTH_MOST * WIDTH_MOST], bias[WIDTH_MOST], y[2][ROWS_MOST * WIDTH_MOST];

static int product(team *t, const int64_t *shape, float *to) {
	char error[ATOLL_ERROR_BYTES];
	const atoll_call c = {.kernel = K_LINEAR, .precision = DT_F32, .dims = {shape[0], shape[1], shape[2]}};
	void *arg[ATOLL_MAX_ARGS] = {to, NULL, x, w, bias};
	memset(to, 0xff, sizeof y[0]);
	return linear(t, &c, arg, error) ? printf("linear: %s\n", error) : 0;
}

// products computes some shapes by a team whose workers are unequal, and by one worker.
static int products(int size, double factor) {
	static const int64_t shapes[][3] = {{301, 40, 500}, {300, 600, 130}, {24, 100, 600}, {7, 30, 600}, {130, 64, 16}, {1, 100, 500}};
	team *t = team_new(size), *one = team_new(1);
	int wrong = 0;
	for (int i = 0; i < 6 && !wrong; i++) {
		tell(t, factor);
		const int64_t before = team_share(t, 1000, 0);
		wrong = product(one, shapes[i], y[0]) || product(t, shapes[i], y[1]);
		if (memcmp(y[0], y[1], sizeof y[0])) wrong = printf("team of %d, worker 0 at %g: bits of shape %d differ\n", size, factor, i);
		if (size > 1 && before == 1000 / size) wrong = printf("team of %d: worker 0 at %g has an equal share\n", size, factor);
	}
	team_free(t);
	team_free(one);
	return wrong;
}

int main(void) {
	for (size_t i = 0; i < sizeof x / sizeof *x; i++) x[i] = sinf((float)i);
	for (size_t i = 0; i < sizeof w / sizeof *w; i++) w[i] = cosf((float)i);
	for (size_t i = 0; i < WIDTH_MOST; i++) bias[i] = (float)i;
	return shares() || products(2, 2) || products(2, 0.5) || products(3, 3) || products(7, 0.7);
}
