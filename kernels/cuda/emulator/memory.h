// Device memory and pinned host memory. Device addresses are addresses of this process, from one large range that nothing else is
// in; between two allocations lie gaps at least as large as either.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace emulator {

struct allocation {
	char *start;
	size_t bytes;
	int number; // from 1, in the order of allocation
};

// memory_total is how many bytes the device has, memory_used how many are allocated.
size_t memory_total();
size_t memory_used();

// allocate is null where there is not so much memory left. release is false where p is no allocation's start.
char *allocate(size_t bytes);
bool release(char *p);
void release_all();

// allocation_of is the one that has all of the bytes at p, or null.
const allocation *allocation_of(const char *p, size_t bytes);

// Pinned memory of the host. pinned_at is whether all of the bytes at p are pinned.
void *pin(size_t bytes);
bool unpin(void *p);
bool pinned_at(const void *p, size_t bytes);
int unreleased(); // allocations of both kinds

}
