// See memory.h.
#include "memory.h"

#include <stdlib.h>
#include <sys/mman.h>

#include <map>

#include "shadow.h"

namespace emulator {

char *device_range;
size_t device_range_bytes;
const allocation **device_slots;

static std::map<const char *, allocation> allocations, freed; // by start
static std::map<const char *, size_t> pinned;
static char *next;
static size_t used;
static int count;

size_t memory_total() {
	const char *wish = getenv("DRIVER_MEMORY");
	return wish && *wish ? (size_t)strtoull(wish, nullptr, 10) : (size_t)4 << 30;
}

size_t memory_used() { return used; }

// reserve gets address space, which costs memory only where it is used.
static bool reserve() {
	if (device_range) return true;
	device_range_bytes = (size_t)64 << 30;
	size_t slots = device_range_bytes / SLOT * sizeof *device_slots;
	void *range = mmap(nullptr, device_range_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	void *table = mmap(nullptr, slots, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (range == MAP_FAILED || table == MAP_FAILED || !shadow_reserve(device_range_bytes)) return false;
	device_range = next = (char *)range;
	device_slots = (const allocation **)table;
	return true;
}

static size_t slots_of(size_t bytes) { return (bytes + SLOT - 1) / SLOT; }

// extent is an allocation with the gap behind it.
static size_t extent(size_t bytes) { return (slots_of(2 * bytes) + 1) * SLOT; }

// room is the next free place behind the last one that was given, and from the start of the range once its end is reached.
static char *room(size_t bytes) {
	for (int round = 0; round < 2; round++) {
		char *p = next;
		for (auto at = allocations.lower_bound(p); at != allocations.end() && at->first < p + bytes; ++at)
			p = at->second.start + extent(at->second.bytes);
		if (p + bytes <= device_range + device_range_bytes) return p;
		next = device_range;
	}
	return nullptr;
}

static void own(const allocation *a, const allocation *owner) {
	size_t first = (size_t)(a->start - device_range) / SLOT;
	for (size_t i = 0; i < slots_of(a->bytes); i++) device_slots[first + i] = owner;
}

char *allocate(size_t bytes) {
	if (used + bytes > memory_total() || !reserve()) return nullptr;
	char *p = room(extent(bytes));
	if (!p) return nullptr;
	next = p + extent(bytes);
	freed.erase(freed.lower_bound(p), freed.lower_bound(next));
	allocation *a = &allocations[p];
	*a = {p, bytes, ++count};
	own(a, a);
	used += bytes;
	return p;
}

bool release(char *p) {
	auto at = allocations.find(p);
	if (at == allocations.end()) return false;
	const allocation *a = &at->second;
	own(a, nullptr);
	madvise(a->start, a->bytes, MADV_DONTNEED);
	shadow_forget((uint64_t)(a->start - device_range), a->bytes);
	used -= a->bytes;
	freed[p] = *a;
	allocations.erase(at);
	return true;
}

void release_all() {
	while (!allocations.empty()) release(allocations.begin()->second.start);
}

const allocation *allocation_of(const char *p, size_t bytes) {
	size_t offset = (size_t)(p - device_range);
	const allocation *a = offset < device_range_bytes ? device_slots[offset >> SLOT_BITS] : nullptr;
	return a && (size_t)(p - a->start) <= a->bytes && bytes <= a->bytes - (size_t)(p - a->start) ? a : nullptr;
}

// before is the entry with the highest start that is not above p, or null.
static const allocation *before(const std::map<const char *, allocation> &all, const char *p) {
	auto at = all.upper_bound(p);
	return at == all.begin() ? nullptr : &(--at)->second;
}

std::string place_of(const char *p) {
	if ((size_t)(p - device_range) >= device_range_bytes) return "an address that is not the device's";
	const allocation *a = before(allocations, p), *f = before(freed, p);
	bool was = !a || (f && f->start > a->start);
	if (was) a = f;
	if (!a) return "an address that was never allocated";
	return "allocation " + std::to_string(a->number) + " + " + std::to_string(p - a->start) + " of " + std::to_string(a->bytes) + " bytes" +
		(was ? " that were freed" : "");
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
