// What is known of device and shared memory: who wrote every word of 4 bytes last, and who has read it since. From that follows
// whether an access reads what nothing wrote, and whether it races with another one.
//
// An access is stamped with its time and thread. Time goes on by intervals: one begins with every operation on a stream, every
// block and every barrier, so that an interval belongs to one block, and with it to one launch. Blocks run one after the other,
// but that is the emulator's choice: two accesses of different blocks are in order only if one block heard from the other by an
// atomic operation (fences.h), those of different streams only by events or the host (order.h), those of two threads of a block
// only if they lie in different intervals, or in the same warp with a warp operation between.
#pragma once

#include <stdint.h>

namespace emulator {

// interval (34 bits), warp operations since it began (17), kind (3), thread (10).
typedef uint64_t stamp;

enum { THREAD_BITS = 10, KIND_BITS = 3, TURN_BITS = 17, KIND_AT = THREAD_BITS, TURN_AT = KIND_AT + KIND_BITS, INTERVAL_AT = TURN_AT + TURN_BITS };

static const stamp THREAD_MASK = ((stamp)1 << THREAD_BITS) - 1, LANE_MASK = 31, TURN_MASK = (((stamp)1 << TURN_BITS) - 1) << TURN_AT;

// The kind says whom the stamp stands for: a thread, or several that are not in order; and ATOMIC whether the writes were atomic.
static const stamp ONE_WARP = (stamp)1 << KIND_AT, ONE_BLOCK = (stamp)2 << KIND_AT, BLOCKS = (stamp)3 << KIND_AT, ATOMIC = (stamp)4 << KIND_AT;

// Two stamps have an interval that never comes. A copy_async is under way; and a word whose bytes have histories of their own is
// split: its cell has SPLIT in written, and in read where the cells of its bytes are.
static const stamp UNDER_WAY = ~(stamp)0 << INTERVAL_AT, SPLIT = ~(stamp)0;

struct cell {
	stamp written, read; // 0: never
};

// The present: what the running thread's accesses are compared with.
struct present {
	stamp mine;         // the running thread's
	stamp floor;        // what is below is in order with the running operation
	stamp launch_start; // of the running operation
	stamp block_start, interval;
	bool deaf;          // the running block has heard from no other
};
extern present now;

// The cells of device memory, by a quarter of the offset in its range, and of shared memory. shadow_reserve gets those of device
// memory, shadow_forget makes a piece of it as if nothing had touched it.
extern cell *device_cells, shared_cells[];
bool shadow_reserve(uint64_t bytes);
void shadow_forget(uint64_t offset, uint64_t bytes);

enum access { READ, WRITE, CHANGE }; // CHANGE: atomically

// check_cell notes an access to a word, or is false where it may not be: then wrong has the reason. What is in order at a glance it
// sees itself. check_bytes does the same for an access to count of the word's bytes from the first on.
template <access kind, bool shared> inline bool check_cell(cell *c);
template <access kind, bool shared> bool check_slowly(cell *c);
template <access kind, bool shared> bool check_bytes(cell *c, unsigned first, unsigned count);

extern struct wrong {
	enum { UNWRITTEN, ARRIVING, RACE } what;
	stamp other; // of a race: the other access
	bool other_writes;
} wrong;

// set_cell makes the word one that was written, or is under way, as the stamp says.
void set_cell(cell *c, stamp written);

// Of the running thread itself, at any turn of its warp.
inline bool own(stamp s) { return !((s ^ now.mine) & ~TURN_MASK); }

// The reader joins others that are noted already: of its warp between two operations, of its block or of other blocks.
template <bool shared> inline bool joins(stamp readers) {
	if (readers == now.mine || (readers >= now.interval && (readers & BLOCKS) == ONE_BLOCK)) return true;
	if (!((readers ^ (now.mine | ONE_WARP)) & ~LANE_MASK)) return true;
	return !shared && now.deaf && readers >= now.launch_start && (readers & BLOCKS) == BLOCKS;
}

// read_by_block is whether all words of shared memory were written before the last barrier, by the running block, and have been
// read by several of its warps since: most reads find that, and there is nothing to note.
inline bool read_by_block(const cell *c, const cell *end) {
	stamp wrongs = 0, before = now.interval - now.block_start, readers = now.interval | ONE_BLOCK;
	for (; c < end; c++) wrongs |= (stamp)(c->written - now.block_start >= before) | ((c->read ^ readers) & ~(TURN_MASK | THREAD_MASK));
	return !wrongs;
}

template <access kind, bool shared> inline bool check_cell(cell *c) {
	stamp floor = shared ? now.interval : now.floor, written = c->written, read = c->read;
	if ((written < floor || own(written)) && (kind == WRITE || written >= (shared ? now.block_start : 1))) {
		if (kind == READ) {
			if (read < floor) return c->read = now.mine, true;
			if (joins<shared>(read)) return true;
		} else if ((read < floor || own(read)) && (shared || now.floor == now.launch_start)) {
			*c = {kind == CHANGE ? now.mine | ATOMIC : now.mine, 0};
			return true;
		}
	}
	return check_slowly<kind, shared>(c);
}

}
