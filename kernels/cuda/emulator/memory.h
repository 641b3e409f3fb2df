// Device memory and pinned host memory. Device addresses are addresses of this process, from one large range that nothing else is
// in; between two allocations lie gaps at least as large as the one before. What was freed is not given out again for long.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <string>

namespace emulator {

struct allocation {
	char *start;
	size_t bytes;
	int number; // from 1, in the order of allocation
};

// The range, and for every SLOT bytes of it the allocation that begins or goes on there, or null.
enum { SLOT_BITS = 16, SLOT = 1 << SLOT_BITS };
extern char *device_range;
extern size_t device_range_bytes;
extern const allocation **device_slots;

// memory_total is how many bytes the device has, memory_used how many are allocated.
size_t memory_total();
size_t memory_used();

// allocate is null where there is not so much memory left. release is false where p is no allocation's start.
char *allocate(size_t bytes);
bool release(char *p);
void release_all();

// allocation_of is the one that has all of the bytes at p, or null.
inline const allocation *allocation_of(const char *p, size_t bytes) {
	size_t offset = (size_t)(p - device_range);
	const allocation *a = offset < device_range_bytes ? device_slots[offset >> SLOT_BITS] : nullptr;
	return a && (size_t)(p - a->start) <= a->bytes && bytes <= a->bytes - (size_t)(p - a->start) ? a : nullptr;
}

// place_of is the address as an allocation and an offset, also for one behind its end or freed.
std::string place_of(const char *p);

// Pinned memory of the host. pinned_at is whether all of the bytes at p are pinned.
void *pin(size_t bytes);
bool unpin(void *p);
bool pinned_at(const void *p, size_t bytes);

// unreleased is how many allocations there are, of both kinds.
int unreleased();

}
