// See fences.h.
#include "fences.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "block.h"
#include "order.h"

namespace emulator {

// How far a block was heard: all of its accesses before the interval, and those of one thread in it. Zero: not at all.
struct heard {
	stamp interval;
	stamp thread;
};

static std::vector<stamp> starts; // of the launch's blocks
static std::vector<heard> hearing; // of the running block, by block
static std::unordered_map<const volatile void *, std::vector<heard>> said; // by place
static stamp fenced[MOST_THREADS]; // the interval of the thread's last fence

void begin_grid() {
	starts.clear();
	said.clear();
}

void begin_block() {
	now.block_start = now.interval = begin_interval();
	starts.push_back(now.block_start);
	hearing.clear();
	now.deaf = true;
}

void fence() { fenced[running->number] = now.interval; }

static void merge(std::vector<heard> *into, const std::vector<heard> &from) {
	if (into->size() < from.size()) into->resize(from.size(), {0, 0});
	for (size_t i = 0; i < from.size(); i++)
		if ((*into)[i].interval < from[i].interval) (*into)[i] = from[i];
}

void atomic(const volatile void *p) {
	auto at = said.find(p);
	if (at != said.end()) merge(&hearing, at->second), now.deaf = false;
	if (fenced[running->number] != now.interval) return;
	std::vector<heard> *place = &said[p];
	merge(place, hearing);
	if (place->size() < starts.size()) place->resize(starts.size(), {0, 0});
	place->back() = {now.interval, now.mine & THREAD_MASK};
}

uint64_t block_of(stamp s) { return (uint64_t)(std::upper_bound(starts.begin(), starts.end(), s) - starts.begin()) - 1; }

bool heard_from(stamp s) {
	if (now.deaf) return false;
	uint64_t b = block_of(s);
	if (b >= hearing.size()) return false;
	stamp interval = s >> INTERVAL_AT << INTERVAL_AT;
	return interval < hearing[b].interval || (interval == hearing[b].interval && (s & THREAD_MASK) == hearing[b].thread && !(s & BLOCKS));
}

bool heard_from_all() {
	for (size_t b = 0; b + 1 < starts.size(); b++)
		if (b >= hearing.size() || !hearing[b].interval) return false;
	return true;
}

}
