#include "clock.h"
#include "run.h"

enum { TRIES = 20 };
static const int64_t STEPS = 100000; // of a peak's try: about a millisecond

typedef struct {
	const atoll_variant *variant;
	uint32_t precision;
	double operations;
} peak_job;

static void peak_body(void *arg, int64_t i, int worker) {
	const peak_job *j = arg;
	volatile float sink[3] = {0.999f, 0.001f, 0};
	(void)i;
	(void)worker;
	j->variant->peak(j->precision, STEPS, sink);
}

double atoll_peak(team *t, const atoll_variant *v, uint32_t precision) {
	volatile float sink[3] = {0.999f, 0.001f, 0};
	peak_job job = {v, precision, v->peak(precision, STEPS, sink) * team_size(t)};
	double best = 0;
	team_wake(t);
	for (int i = 0; i < TRIES; i++) {
		double start = seconds();
		team_for(t, team_size(t), peak_body, &job);
		double rate = job.operations / (seconds() - start);
		best = rate > best ? rate : best;
	}
	team_rest(t);
	return best;
}

enum { TRIAD = 16 << 20, TRIAD_PIECE = 1 << 18 }; // elements of an array, and of a piece

static void triad_body(void *arg, int64_t piece, int worker) {
	float *restrict a = (float *)arg + piece * TRIAD_PIECE;
	const float *restrict b = a + TRIAD, *restrict c = b + TRIAD;
	(void)worker;
	for (int64_t i = 0; i < TRIAD_PIECE; i++) a[i] = b[i] + 3 * c[i];
}

double atoll_bandwidth(team *t) {
	const size_t bytes = 3 * sizeof(float) * TRIAD;
	float *a = atoll_alloc(bytes);
	double best = 0;
	if (!a) return 0;
	team_wake(t);
	for (int i = 0; i < TRIES / 4; i++) {
		double start = seconds();
		team_for(t, TRIAD / TRIAD_PIECE, triad_body, a);
		double rate = (double)bytes / (seconds() - start);
		best = i > 0 && rate > best ? rate : best; // the first touches the memory
	}
	team_rest(t);
	atoll_release(a, bytes);
	return best;
}
