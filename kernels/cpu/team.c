#include "clock.h"
#include "team.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

// A job's indices are cut into one part for each worker, in order: a worker that takes the same share of the rows in every job finds in
// its own caches what it wrote in the job before. Where processors share no cache, reading from another's costs four times as much.
//
// A part's ticket is the number of the job (upper 40 bits) and how many of the part's indices were handed out (lower 24). A worker that
// takes one by compare-and-swap knows that the part's fields it read before belong to that job: they are only overwritten when every
// index of the job is done. Workers that are asleep or descheduled are never waited for, unless they hold an index: the others take
// theirs when they have done their own.
enum { INDEX_BITS = 24 };
static const uint64_t INDEX_MASK = (1u << INDEX_BITS) - 1;

// Rounds of waiting before the next cheaper way of waiting. A pause is 10 to 40 ns.
enum { SPINS = 4000, YIELDS = 200 };

typedef struct {
	void *start;
	size_t bytes;
} block;

// A part has cache lines of its own: its worker waits for the ticket to change and then has the rest.
typedef struct {
	_Alignas(128) _Atomic uint64_t ticket;
	_Atomic int64_t first, n;
	_Atomic(team_body *) body;
	_Atomic(void *) arg;
} part;

// What a worker told of its work since it was weighed, its share of the team's speed, and where its share of all work ends.
typedef struct {
	_Alignas(128) double work, took;
	double share, end;
} pace;

typedef struct {
	team *team;
	pthread_t thread;
	int index;
} worker;

struct team {
	_Alignas(128) _Atomic int64_t done;
	_Alignas(128) _Atomic int sleepers;
	_Atomic bool awake, closing;
	pthread_mutex_t lock;
	pthread_cond_t work;
	uint64_t job;
	int size, started;
	part *parts; // one for each worker
	pace *paces; // one for each worker
	worker *workers;
	block *scratch; // one for each worker, then the shared one
};

static inline void pause_cpu(void) {
#if defined __x86_64__ || defined __i386__
	__builtin_ia32_pause();
#elif defined __aarch64__
	__asm__ volatile("yield");
#endif
}

// take_part runs the indices of a part until none is left, and gives their number.
static int64_t take_part(part *p, int worker) {
	int64_t count = 0;
	uint64_t ticket = atomic_load(&p->ticket);
	for (;;) {
		const int64_t n = atomic_load(&p->n), first = atomic_load(&p->first), i = (int64_t)(ticket & INDEX_MASK);
		team_body *body = atomic_load(&p->body);
		void *arg = atomic_load(&p->arg);
		if (i >= n) {
			const uint64_t now = atomic_load(&p->ticket);
			if (now == ticket) return count;
			ticket = now;
		} else if (atomic_compare_exchange_weak(&p->ticket, &ticket, ticket + 1)) {
			body(arg, first + i, worker);
			count++;
			ticket = atomic_load(&p->ticket);
		}
	}
}

// take_all runs what is left of the worker's own part, then of the others'. A job cannot end before its indices are counted, so
// everything counted here belongs to one job.
static void take_all(team *t, int worker) {
	int64_t count = 0;
	for (int i = 0; i < t->size; i++) count += take_part(&t->parts[(worker + i) % t->size], worker);
	if (count) atomic_fetch_add(&t->done, count);
}

// new_job is the number of the job that is open, if it is not seen, else 0. Every job opens every part, also one without indices.
static uint64_t new_job(const team *t, int worker, uint64_t seen) {
	const uint64_t ticket = atomic_load(&t->parts[worker].ticket), job = ticket >> INDEX_BITS;
	return job != seen && (ticket & INDEX_MASK) != INDEX_MASK ? job : 0;
}

// sleep_until_work counts itself a sleeper before it looks a last time; publish looks at the count after it has set the
// ticket. One of the two sees the other.
static void sleep_until_work(team *t, int worker, uint64_t seen) {
	pthread_mutex_lock(&t->lock);
	atomic_fetch_add(&t->sleepers, 1);
	while (!new_job(t, worker, seen) && !atomic_load(&t->closing)) pthread_cond_wait(&t->work, &t->lock);
	atomic_fetch_sub(&t->sleepers, 1);
	pthread_mutex_unlock(&t->lock);
}

static void *work(void *arg) {
	worker *w = arg;
	team *t = w->team;
	sigset_t all; // signals are for the threads of Go
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	uint64_t seen = 0;
	int waited = 0;
	while (!atomic_load(&t->closing)) {
		const uint64_t job = new_job(t, w->index, seen);
		if (job) {
			take_all(t, w->index);
			seen = job;
			waited = 0;
			continue;
		}
		waited++;
		if (waited < SPINS) pause_cpu();
		else if (waited < SPINS + YIELDS && atomic_load(&t->awake)) sched_yield();
		else {
			sleep_until_work(t, w->index, seen);
			waited = 0;
		}
	}
	return NULL;
}

static void wake_sleepers(team *t) {
	if (atomic_load(&t->sleepers) == 0) return;
	pthread_mutex_lock(&t->lock);
	pthread_cond_broadcast(&t->work);
	pthread_mutex_unlock(&t->lock);
}

// run_job is one job of at most INDEX_MASK indices.
static void run_job(team *t, int64_t first, int64_t n, team_body *body, void *arg) {
	const uint64_t ticket = ++t->job << INDEX_BITS;
	// While the fields change the tickets are past every index, so that nobody takes one.
	for (int w = 0; w < t->size; w++) atomic_store_explicit(&t->parts[w].ticket, ticket | INDEX_MASK, memory_order_release);
	atomic_store_explicit(&t->done, 0, memory_order_release);
	for (int w = t->size - 1; w >= 0; w--) {
		part *p = &t->parts[w];
		const int64_t from = team_end(t, n, w - 1);
		atomic_store_explicit(&p->first, first + from, memory_order_release);
		atomic_store_explicit(&p->n, team_end(t, n, w) - from, memory_order_release);
		atomic_store_explicit(&p->body, body, memory_order_release);
		atomic_store_explicit(&p->arg, arg, memory_order_release);
		atomic_store(&p->ticket, ticket);
	}
	wake_sleepers(t);
	take_all(t, 0);
	for (int waited = 0; atomic_load(&t->done) != n; waited++) {
		if (waited < SPINS) pause_cpu();
		else sched_yield();
	}
}

void team_for(team *t, int64_t n, team_body *body, void *arg) {
	if (t->size == 1 || n == 1) {
		for (int64_t i = 0; i < n; i++) body(arg, i, 0);
		return;
	}
	const int64_t most = (int64_t)INDEX_MASK;
	for (int64_t first = 0; first < n; first += most) run_job(t, first, n - first < most ? n - first : most, body, arg);
}

void team_wake(team *t) { atomic_store(&t->awake, true); }
void team_rest(team *t) { atomic_store(&t->awake, false); }
int team_size(const team *t) { return t->size; }
int64_t team_end(const team *t, int64_t n, int worker) { return n * (worker + 1) / t->size; }

double team_clock(void) { return seconds(); }

void team_tell(team *t, int worker, double work, double took) {
	t->paces[worker].work += work;
	t->paces[worker].took += took;
}

// SLOWLY is how many samples a share takes to follow: one sample is off by chance, and what makes a processor slow lasts for many. A share
// stays within these bounds of an equal one, so that a worker that was held up once is not left without work.
enum { SLOWLY = 8 };
static const double LEAST_SHARE = 0.5, LARGEST_SHARE = 1.5;

// total_speed is that of all workers in the last sample, or 0 if one of them did no work in it.
static double total_speed(const team *t) {
	double total = 0;
	for (int w = 0; w < t->size; w++) {
		if (t->paces[w].work <= 0 || t->paces[w].took <= 0) return 0;
		total += t->paces[w].work / t->paces[w].took;
	}
	return total;
}

void team_weigh(team *t) {
	const double total = total_speed(t), equal = 1.0 / t->size;
	double sum = 0;
	for (int w = 0; w < t->size; w++) {
		pace *p = &t->paces[w];
		if (total > 0) {
			double sample = p->work / p->took / total;
			sample = sample < LEAST_SHARE * equal ? LEAST_SHARE * equal : sample > LARGEST_SHARE * equal ? LARGEST_SHARE * equal : sample;
			p->share += (sample - p->share) / SLOWLY;
		}
		p->work = p->took = 0;
		p->end = sum += p->share;
	}
	for (int w = 0; w < t->size; w++) t->paces[w].end /= sum;
}

int64_t team_share(const team *t, int64_t n, int worker) {
	if (worker < 0) return 0;
	return worker == t->size - 1 ? n : (int64_t)((double)n * t->paces[worker].end + 0.5);
}

static void *grown(block *b, size_t bytes) {
	if (b->bytes >= bytes) return b->start;
	free(b->start);
	*b = (block){0};
	bytes = (bytes + 4095) & ~(size_t)4095;
	if (posix_memalign(&b->start, 4096, bytes)) {
		b->start = NULL;
		return NULL;
	}
	b->bytes = bytes;
	return b->start;
}

void *team_scratch(team *t, int worker, size_t bytes) { return grown(&t->scratch[worker], bytes); }
void *team_shared(team *t, size_t bytes) { return grown(&t->scratch[t->size], bytes); }

void team_free(team *t) {
	if (!t) return;
	pthread_mutex_lock(&t->lock);
	atomic_store(&t->closing, true);
	pthread_cond_broadcast(&t->work);
	pthread_mutex_unlock(&t->lock);
	for (int i = 1; i < t->started; i++) pthread_join(t->workers[i].thread, NULL);
	for (int i = 0; t->scratch && i <= t->size; i++) free(t->scratch[i].start);
	pthread_cond_destroy(&t->work);
	pthread_mutex_destroy(&t->lock);
	free(t->parts);
	free(t->paces);
	free(t->scratch);
	free(t->workers);
	free(t);
}

// team_new is NULL when the machine has no memory or no threads left.
team *team_new(int threads) {
	team *t;
	if (posix_memalign((void **)&t, _Alignof(team), sizeof *t)) return NULL;
	*t = (team){.size = threads, .started = 1};
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->work, NULL);
	t->workers = calloc((size_t)threads, sizeof *t->workers);
	t->scratch = calloc((size_t)threads + 1, sizeof *t->scratch);
	t->parts = aligned_alloc(_Alignof(part), (size_t)threads * sizeof *t->parts);
	t->paces = aligned_alloc(_Alignof(pace), (size_t)threads * sizeof *t->paces);
	if (!t->workers || !t->scratch || !t->parts || !t->paces) goto fail;
	for (int w = 0; w < threads; w++) {
		t->parts[w] = (part){.ticket = INDEX_MASK};
		t->paces[w] = (pace){.share = 1.0 / threads, .end = (w + 1.0) / threads};
	}
	for (; t->started < threads; t->started++) {
		worker *w = &t->workers[t->started];
		*w = (worker){.team = t, .index = t->started};
		if (pthread_create(&w->thread, NULL, work, w)) goto fail;
	}
	return t;
fail:
	team_free(t);
	return NULL;
}
