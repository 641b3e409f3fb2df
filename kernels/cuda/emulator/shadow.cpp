// See shadow.h.
#include "shadow.h"

#include <sys/mman.h>

#include <vector>

#include "block.h"
#include "fences.h"
#include "order.h"

namespace emulator {

present now;
struct wrong wrong;
cell *device_cells, shared_cells[MOST_SHARED / 4];

static bool same_warp(stamp a, stamp b) { return !((a ^ b) & THREAD_MASK & ~LANE_MASK); }

// in_order is whether what the stamp stands for happened before the running thread's present.
static bool in_order(stamp s) {
	stamp kind = s & BLOCKS;
	if (s < now.floor || s >= UNDER_WAY) return s < now.floor;
	if (s < now.launch_start) return happened_before(s >> INTERVAL_AT);
	if (kind == BLOCKS) return heard_from_all();
	if (s < now.block_start) return heard_from(s);
	if (s < now.interval) return true;
	if (kind == ONE_BLOCK || !same_warp(s, now.mine)) return false;
	if ((s & TURN_MASK) < (now.mine & TURN_MASK)) return true;
	return kind == 0 && !((s ^ now.mine) & THREAD_MASK);
}

// together is a stamp for what s stands for and the running thread, which are not in order.
static stamp together(stamp s) {
	stamp kind = s & BLOCKS;
	if (s < now.block_start || kind == BLOCKS) return now.mine | BLOCKS;
	if (kind == ONE_BLOCK || !same_warp(s, now.mine)) return now.mine | ONE_BLOCK;
	return now.mine | ONE_WARP;
}

static bool race(stamp other, bool other_writes) {
	wrong = {other >= UNDER_WAY ? wrong::ARRIVING : wrong::RACE, other, other_writes};
	return false;
}

static bool note_reader(cell *c) {
	stamp s = c->read;
	if (in_order(s)) c->read = now.mine;
	else if (s < now.launch_start) keep_reader(c, s), c->read = now.mine;
	else c->read = together(s);
	return true;
}

// check_whole is the rule for a cell that is not split. Atomic changes need no order among themselves, within a launch.
template <access kind, bool shared> static bool check_whole(cell *c) {
	if (kind != WRITE && c->written < (shared ? now.block_start : 1)) {
		wrong = {wrong::UNWRITTEN, 0, false};
		return false;
	}
	stamp written = kind == CHANGE ? now.mine | ATOMIC : now.mine;
	if (!in_order(c->written)) {
		if (kind != CHANGE || !(c->written & ATOMIC) || c->written < now.launch_start || c->written >= UNDER_WAY) return race(c->written, true);
		written = together(c->written) | ATOMIC;
	}
	if (kind == READ) return note_reader(c);
	if (!in_order(c->read)) return race(c->read, false);
	if (stamp kept = shared ? 0 : kept_reader(c)) return race(kept, false);
	*c = {written, 0};
	return true;
}

// The bytes of the words that are split.
struct bytes {
	cell of[4];
};
static std::vector<bytes> splits;
static std::vector<stamp> unused; // places in splits

static void split(cell *c) {
	if (c->written == SPLIT) return;
	if (unused.empty()) {
		unused.push_back(splits.size());
		splits.emplace_back();
	}
	splits[unused.back()] = {{*c, *c, *c, *c}};
	*c = {SPLIT, unused.back()};
	unused.pop_back();
}

static bool equal(const cell &a, const cell &b) { return a.written == b.written && a.read == b.read; }

// merge makes the word one again where all of its bytes have the same history.
static void merge(cell *c) {
	const bytes *b = &splits[c->read];
	if (!equal(b->of[0], b->of[1]) || !equal(b->of[0], b->of[2]) || !equal(b->of[0], b->of[3])) return;
	cell whole = b->of[0];
	unused.push_back(c->read);
	*c = whole;
}

template <access kind, bool shared> bool check_bytes(cell *c, unsigned first, unsigned count) {
	split(c);
	for (unsigned i = first; i < first + count; i++)
		if (!check_whole<kind, shared>(&splits[c->read].of[i])) return false;
	merge(c);
	return true;
}

template <access kind, bool shared> bool check_slowly(cell *c) {
	return c->written == SPLIT ? check_bytes<kind, shared>(c, 0, 4) : check_whole<kind, shared>(c);
}

void set_cell(cell *c, stamp written) {
	if (c->written == SPLIT) unused.push_back(c->read);
	*c = {written, 0};
}

bool shadow_reserve(uint64_t bytes) {
	void *p = mmap(nullptr, bytes / 4 * sizeof(cell), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	device_cells = (cell *)p;
	return p != MAP_FAILED;
}

void shadow_forget(uint64_t offset, uint64_t bytes) {
	cell *first = device_cells + offset / 4, *end = first + (bytes + 3) / 4;
	if (unused.size() < splits.size())
		for (cell *c = first; c < end; c++)
			if (c->written == SPLIT) unused.push_back(c->read);
	madvise(first, (size_t)((char *)end - (char *)first), MADV_DONTNEED);
}

#define CHECKS(kind, shared)                                                                                  \
	template bool check_slowly<kind, shared>(cell *c);                                                          \
	template bool check_bytes<kind, shared>(cell *c, unsigned first, unsigned count);
CHECKS(READ, false)
CHECKS(READ, true)
CHECKS(WRITE, false)
CHECKS(WRITE, true)
CHECKS(CHANGE, false)
CHECKS(CHANGE, true)

}
