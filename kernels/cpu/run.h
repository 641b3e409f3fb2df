// What Go calls: the variants of this build, memory, and the replay of a program.
#ifndef ATOLL_RUN_H
#define ATOLL_RUN_H

#include "team.h"

// A call with its arguments resolved to addresses.
typedef struct {
	atoll_call call;
	void *arg[ATOLL_MAX_ARGS]; // NULL where absent
} atoll_bound;

enum { ATOLL_ERROR_BYTES = 256 };

// atoll_variant_at is variant i, from the fastest to the portable one, or NULL past the last. supported says whether this
// CPU and its operating system run it.
const atoll_variant *atoll_variant_at(int i, int *supported);

// atoll_compiler names the compiler of this file and its version.
const char *atoll_compiler(void);

// atoll_run replays n calls and is -1, or the index of the call that failed, with the reason in error.
int64_t atoll_run(team *t, const atoll_variant *v, const atoll_bound *calls, int64_t n, char *error);

// atoll_run_timed is atoll_run and gives the seconds that each call took, from the end of the one before it.
int64_t atoll_run_timed(team *t, const atoll_variant *v, const atoll_bound *calls, int64_t n, char *error, double *took);

// Zeroed memory, 64-byte aligned, in large pages where the system has them (memory_linux.c, memory_other.c); NULL when
// there is none left. atoll_release takes the size that was asked for.
void *atoll_alloc(size_t bytes);
void atoll_release(void *start, size_t bytes);

// atoll_allow_tiles asks the system for the tile registers of AMX, for all threads of the process, and tells whether it gives them.
int atoll_allow_tiles(void);

// atoll_peak measures the floating-point operations a second that the team does on registers, and atoll_bandwidth the bytes
// a second that it reads, or reads and writes in their place, in memory beyond the caches; 0 without memory. The best of several
// tries counts (peak.c).
double atoll_peak(team *t, const atoll_variant *v, uint32_t precision);
double atoll_bandwidth(team *t, int reading);

#endif
