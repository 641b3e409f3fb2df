// What is known of every two bytes of device and shared memory: who wrote them last, and who has read them since. From that
// follows whether an access reads what nothing wrote, and whether it races with another one.
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

static const stamp THREAD_MASK = ((stamp)1 << THREAD_BITS) - 1, TURN_MASK = (((stamp)1 << TURN_BITS) - 1) << TURN_AT,
	KIND_MASK = (((stamp)1 << KIND_BITS) - 1) << KIND_AT;

// The kind says whom the stamp stands for: a thread, or several that are not in order; and ATOMIC whether the writes were atomic.
// A copy_async under way has an interval that is never over.
static const stamp ONE_WARP = (stamp)1 << KIND_AT, ONE_BLOCK = (stamp)2 << KIND_AT, BLOCKS = (stamp)3 << KIND_AT, ATOMIC = (stamp)4 << KIND_AT,
	UNDER_WAY = ~(stamp)0 << INTERVAL_AT;

struct cell {
	stamp written, read; // 0: never
};

// The present: what the running thread's accesses are compared with.
struct present {
	stamp mine;         // the running thread's
	stamp floor;        // what is below is in order with the running operation
	stamp launch_start; // of the running operation
	stamp block_start, interval;
};
extern present now;

// The cells of device memory, by half of the offset in its range, and of shared memory. shadow_reserve gets those of device memory.
extern cell *device_cells, shared_cells[];
bool shadow_reserve(uint64_t bytes);
void shadow_forget(uint64_t offset, uint64_t bytes);

enum access { READ, WRITE, CHANGE }; // CHANGE: atomically

// check_cell notes an access, or is false where it may not be: then wrong has the reason. It has what is in order at a glance,
// the functions of check_slowly the rest.
template <access kind, bool shared> inline bool check_cell(cell *c);

extern struct wrong {
	enum { UNWRITTEN, ARRIVING, RACE } what;
	stamp other; // of a race: the other access
	bool other_writes;
} wrong;

bool unwritten();
bool written_in_order(stamp written);
bool change_after(stamp written, stamp *now_written);
void note_reader(cell *c);
bool read_in_order(const cell *c);

// in_order_at_once is whether what the stamp stands for happened before: it is the running thread's own or below a floor, which for
// shared memory is the last barrier.
template <bool shared> inline bool in_order_at_once(stamp s) {
	return s < (shared ? now.interval : now.floor) || !((s ^ now.mine) & ~TURN_MASK);
}

template <access kind, bool shared> inline bool check_cell(cell *c) {
	if (kind != WRITE && c->written < (shared ? now.block_start : 1)) return unwritten();
	stamp written = kind == CHANGE ? now.mine | ATOMIC : now.mine;
	if (!in_order_at_once<shared>(c->written)) {
		if (kind == CHANGE ? !change_after(c->written, &written) : !written_in_order(c->written)) return false;
	}
	if (kind == READ) {
		if (c->read < (shared ? now.interval : now.floor)) c->read = now.mine;
		else if (c->read != now.mine && (c->read < now.interval || (c->read & BLOCKS) != ONE_BLOCK)) note_reader(c);
		return true;
	}
	if (!in_order_at_once<shared>(c->read) || (!shared && now.floor < now.launch_start)) {
		if (!read_in_order(c)) return false;
	}
	*c = {written, 0};
	return true;
}

}
