//go:build !linux

#define _POSIX_C_SOURCE 200809L
#include "run.h"

#include <stdlib.h>
#include <string.h>

void *atoll_alloc(size_t bytes) {
	void *start;
	bytes = bytes ? bytes : 1;
	return posix_memalign(&start, 64, bytes) ? NULL : memset(start, 0, bytes);
}

void atoll_release(void *start, size_t bytes) {
	(void)bytes;
	free(start);
}
