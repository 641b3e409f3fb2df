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

enum { WORDS = 48 << 20, PIECE = 1 << 18 }; // of the memory, and of a piece of it

// update_body writes where it has read: nothing is fetched only to be overwritten, so the bytes are those that move.
static void update_body(void *arg, int64_t piece, int worker) {
	uint32_t *a = (uint32_t *)arg + piece * PIECE;
	(void)worker;
	for (int64_t i = 0; i < PIECE; i++) a[i] += 3;
}

static void read_body(void *arg, int64_t piece, int worker) {
	uint32_t *a = (uint32_t *)arg + piece * PIECE, sum = 0;
	(void)worker;
	for (int64_t i = 0; i < PIECE; i++) sum += a[i];
	*a = sum;
}

double atoll_bandwidth(team *t, int reading) {
	const size_t bytes = sizeof(uint32_t) * WORDS;
	uint32_t *a = atoll_alloc(bytes);
	double best = 0;
	if (!a) return 0;
	team_wake(t);
	// Memory that was never written is one page of zeros however much there is of it, and reading that is reading the cache.
	team_for(t, WORDS / PIECE, update_body, a);
	for (int i = 0; i < TRIES / 4; i++) {
		double start = seconds();
		team_for(t, WORDS / PIECE, reading ? read_body : update_body, a);
		double rate = (double)(reading ? bytes : 2 * bytes) / (seconds() - start);
		best = rate > best ? rate : best;
	}
	team_rest(t);
	atoll_release(a, bytes);
	return best;
}
