// What a kernel looks at before it writes anything: its data, and how it stores its sums.
#ifndef ATOLL_CHECKS_H
#define ATOLL_CHECKS_H

#include <stdarg.h>
#include <stdio.h>

#include "program.h"

enum { ERROR_SIZE = 256 }; // bytes of a kernel's error

// fault writes what is wrong with the data and gives the value that a kernel then returns.
__attribute__((format(printf, 2, 3))) static int fault(char *error, const char *format, ...) {
	va_list values;
	va_start(values, format);
	vsnprintf(error, ERROR_SIZE, format, values);
	va_end(values);
	return 1;
}

static int out_of_memory(char *error, size_t bytes) {
	return fault(error, "no memory for %zu bytes of scratch: use a smaller batch or sequence", bytes);
}

// check_indexes finds the first of n values that is below 0 (unless negatives are allowed) or not below bound.
static int check_indexes(const char *what, const int32_t *values, int64_t n, int negatives, const char *name,
	int64_t bound, char *error) {
	for (int64_t row = 0; row < n; row++) {
		if (values[row] < 0 && !negatives)
			return fault(error, "%s %d in row %lld is below 0", what, values[row], (long long)row);
		if (values[row] >= bound)
			return fault(error, "%s %d in row %lld is not below %s=%lld", what, values[row], (long long)row, name,
				(long long)bound);
	}
	return 0;
}

// check_lengths finds the first of B lengths that is not in 0..T. lengths may be NULL.
static int check_lengths(const int32_t *lengths, int64_t B, int64_t T, char *error) {
	for (int64_t b = 0; lengths && b < B; b++) {
		if (lengths[b] < 0) return fault(error, "length %d in row %lld is below 0", lengths[b], (long long)b);
		if (lengths[b] > T)
			return fault(error, "length %d in row %lld is above T=%lld", lengths[b], (long long)b, (long long)T);
	}
	return 0;
}

// check_start reads the position of the first row, 0 where start is NULL, and holds rows start..start+T-1 against P.
static int check_start(const int32_t *start, int64_t T, int64_t P, int64_t *first, char *error) {
	*first = start ? start[0] : 0;
	if (*first < 0) return fault(error, "start %lld is below 0", (long long)*first);
	if (*first + T > P)
		return fault(error, "start %lld with T=%lld rows passes P=%lld", (long long)*first, (long long)T, (long long)P);
	return 0;
}

// accumulates says whether a sum of this mode is added to what is there.
static inline int accumulates(int64_t mode, const float *step) {
	return mode == MODE_ACCUMULATE || (mode == MODE_BY_STEP && step[STEP_ACCUMULATE] != 0);
}

#endif
