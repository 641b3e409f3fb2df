// See memory.h.
#include "memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <map>

namespace emulator {

static const size_t SLOT = 64 << 10;

static std::map<const char *, allocation> allocations; // by start
static std::map<const char *, size_t> pinned;
static char *range, *next_free;
static size_t range_bytes, used;
static int count;

size_t memory_total() {
	static const size_t total = [] {
		const char *wish = getenv("DRIVER_MEMORY");
		return wish ? (size_t)strtoull(wish, nullptr, 10) : (size_t)4 << 30;
	}();
	return total;
}

size_t memory_used() { return used; }

static size_t with_gap(size_t bytes) { return (2 * bytes + SLOT + SLOT - 1) / SLOT * SLOT; }

// place finds room behind the last place that was given, so that what was freed stays free for long; null where the range is full.
static char *place(size_t bytes) {
	for (int round = 0; round < 2; round++) {
		char *p = next_free;
		for (auto at = allocations.lower_bound(p); at != allocations.end() && at->second.start < p + bytes; at = allocations.lower_bound(p))
			p = at->second.start + with_gap(at->second.bytes);
		if (p + bytes <= range + range_bytes) return p;
		next_free = range;
	}
	return nullptr;
}

char *allocate(size_t bytes) {
	if (bytes > memory_total() - used) return nullptr;
	if (!range) {
		range_bytes = 16 * memory_total();
		void *p = mmap(nullptr, range_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (p == MAP_FAILED) return nullptr;
		range = next_free = (char *)p;
	}
	size_t extent = with_gap(bytes);
	char *p = place(extent);
	if (!p) return nullptr;
	next_free = p + extent;
	allocations[p] = {p, bytes, ++count};
	used += bytes;
	return p;
}

bool release(char *p) {
	auto at = allocations.find(p);
	if (at == allocations.end()) return false;
	madvise(p, at->second.bytes, MADV_DONTNEED);
	used -= at->second.bytes;
	allocations.erase(at);
	return true;
}

void release_all() {
	while (!allocations.empty()) release(allocations.begin()->second.start);
}

const allocation *allocation_of(const char *p, size_t bytes) {
	auto at = allocations.upper_bound(p);
	if (at == allocations.begin()) return nullptr;
	const allocation *a = &(--at)->second;
	return (size_t)(p - a->start) <= a->bytes && bytes <= a->bytes - (size_t)(p - a->start) ? a : nullptr;
}

void *pin(size_t bytes) {
	void *p = malloc(bytes);
	if (p) pinned[(const char *)p] = bytes;
	return p;
}

bool unpin(void *p) {
	if (!pinned.erase((const char *)p)) return false;
	free(p);
	return true;
}

bool pinned_at(const void *p, size_t bytes) {
	auto at = pinned.upper_bound((const char *)p);
	if (at == pinned.begin()) return false;
	--at;
	size_t offset = (size_t)((const char *)p - at->first);
	return offset <= at->second && bytes <= at->second - offset;
}

int unreleased() { return (int)(allocations.size() + pinned.size()); }

}
