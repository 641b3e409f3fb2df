// Jobs of many sizes on teams of many sizes: every index is run once, by a worker of the team, also when workers sleep between jobs
// or there are more of them than processors.
#define _DEFAULT_SOURCE
#include "../team.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 700, JOBS = 20000 };

typedef struct {
	unsigned char hits[MOST];
	_Atomic int strangers;
	int size;
} record;

static void body(void *arg, int64_t i, int worker) {
	record *r = arg;
	r->hits[i]++;
	if (worker < 0 || worker >= r->size) r->strangers++;
	for (volatile int k = 0; i % 97 == 0 && k < 200; k++) { // some take longer
	}
}

static uint32_t next(uint32_t *random) { return *random = *random * 1103515245 + 12345; }

static int jobs(int size) {
	static record r;
	uint32_t random = (uint32_t)size;
	team *t = team_new(size);
	if (!t) return printf("no team of %d\n", size);
	r = (record){.size = size};
	team_wake(t);
	for (int job = 0; job < JOBS; job++) {
		const int64_t n = next(&random) >> 16 & 1 ? (random >> 20) % 9 : (random >> 20) % MOST;
		memset(r.hits, 0, sizeof r.hits);
		team_for(t, n, body, &r);
		for (int64_t i = 0; i < MOST; i++)
			if (r.hits[i] != (i < n)) return printf("team of %d, job %d: index %d of %d ran %d times\n", size, job, (int)i, (int)n, r.hits[i]);
		if (job % 2000 == 0) { // long enough for the workers to fall asleep
			team_rest(t);
			usleep(next(&random) >> 16 & 4095);
			team_wake(t);
		}
	}
	team_rest(t);
	for (int w = -1; w < size; w++)
		if (team_end(t, MOST, w) != (int64_t)MOST * (w + 1) / size) return printf("team of %d: worker %d ends at %d\n", size, w, (int)team_end(t, MOST, w));
	team_free(t);
	return r.strangers ? printf("team of %d: %d indices by no worker of it\n", size, r.strangers) : 0;
}

int main(void) {
	const int sizes[] = {1, 2, 3, 7};
	for (int i = 0; i < 4; i++)
		if (jobs(sizes[i])) return 1;
	return 0;
}
