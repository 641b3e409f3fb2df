// See shadow.h.
#include "shadow.h"

#include <sys/mman.h>

#include "block.h"
#include "fences.h"
#include "order.h"

namespace emulator {

present now;
struct wrong wrong;
cell *device_cells, shared_cells[MOST_SHARED / 2];

bool shadow_reserve(uint64_t bytes) {
	void *p = mmap(nullptr, bytes / 2 * sizeof(cell), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	device_cells = (cell *)p;
	return p != MAP_FAILED;
}

void shadow_forget(uint64_t offset, uint64_t bytes) { madvise(device_cells + offset / 2, (bytes + 1) / 2 * sizeof(cell), MADV_DONTNEED); }

static bool same_warp(stamp a, stamp b) { return !(((a ^ b) & THREAD_MASK) / WARP); }

// in_order is whether what the stamp stands for happened before the running thread's present.
static bool in_order(stamp s) {
	stamp kind = s & (BLOCKS | ONE_BLOCK | ONE_WARP);
	if (s >= UNDER_WAY) return false;
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

bool unwritten() {
	wrong = {wrong::UNWRITTEN, 0, false};
	return false;
}

bool written_in_order(stamp written) { return in_order(written) || race(written, true); }

// Atomic changes need no order among themselves, within a launch.
bool change_after(stamp written, stamp *now_written) {
	if (in_order(written)) return true;
	if (!(written & ATOMIC) || written < now.launch_start) return race(written, true);
	*now_written = together(written) | ATOMIC;
	return true;
}

void note_reader(cell *c) {
	stamp s = c->read;
	if (s >= now.launch_start && (s & BLOCKS) == BLOCKS && !heard_from_all()) return;
	if (in_order(s)) c->read = now.mine;
	else if (s < now.launch_start) keep_reader(c, s), c->read = now.mine;
	else c->read = together(s);
}

bool read_in_order(const cell *c) {
	if (!in_order(c->read)) return race(c->read, false);
	stamp kept = kept_reader(c);
	return !kept || race(kept, false);
}

}
