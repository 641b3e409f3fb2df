#define _DEFAULT_SOURCE
#include "run.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static const size_t LARGE = (size_t)2 << 20; // a large page on AMD64, and on ARM64 with pages of 4 KB

static size_t rounded(size_t bytes) { return (bytes + LARGE - 1) & ~(LARGE - 1); }

// Linux' numbers, whose header is not everywhere: the policy, the question which nodes are allowed, and as many nodes as it can have.
enum { INTERLEAVE = 3, ALLOWED = 4, NODES = 1024 };

// interleave has the pages come from all NUMA nodes in turns when they are touched. Any worker may compute any part of a tensor, so no
// node is the right one for a page, and all in turns are better than the one whose thread happens to write first. Where the system or
// a container refuses, pages lie where that thread runs.
static void interleave(void *start, size_t bytes) {
	unsigned long nodes[NODES / (8 * sizeof(unsigned long))] = {0};
	if (syscall(SYS_get_mempolicy, NULL, nodes, (unsigned long)NODES, NULL, (unsigned long)ALLOWED) == 0)
		(void)syscall(SYS_mbind, start, bytes, (unsigned long)INTERLEAVE, nodes, (unsigned long)NODES, 0ul);
}

// Mapped memory is zero and is only taken when it is touched. One large page more is mapped than needed, and what stands
// over the aligned part is given back at once.
static void *map_large(size_t bytes) {
	size_t size = rounded(bytes), whole = size + LARGE;
	char *start = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (start == MAP_FAILED) return NULL;
	char *aligned = (char *)(((uintptr_t)start + LARGE - 1) & ~(uintptr_t)(LARGE - 1));
	if (aligned > start) munmap(start, (size_t)(aligned - start));
	if (aligned < start + LARGE) munmap(aligned + size, (size_t)(start + LARGE - aligned));
	(void)madvise(aligned, size, MADV_HUGEPAGE); // refused where the system has none: slower, nothing else
	interleave(aligned, size);
	return aligned;
}

void *atoll_alloc(size_t bytes) {
	if (bytes > SIZE_MAX / 2) return NULL;
	if (bytes >= LARGE) return map_large(bytes);
	void *start;
	bytes = bytes ? bytes : 1;
	return posix_memalign(&start, 64, bytes) ? NULL : memset(start, 0, bytes);
}

void atoll_release(void *start, size_t bytes) {
	if (start && bytes >= LARGE) munmap(start, rounded(bytes));
	else free(start);
}
