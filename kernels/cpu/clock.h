// The clock of measurements. Include it before any header of the system.
#ifndef ATOLL_CLOCK_H
#define ATOLL_CLOCK_H

#define _POSIX_C_SOURCE 200809L
#include <time.h>

static inline double seconds(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#endif
