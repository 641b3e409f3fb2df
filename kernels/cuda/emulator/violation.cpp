// See violation.h.
#include "violation.h"

#include "block.h"
#include "fences.h"
#include "memory.h"
#include "order.h"
#include "report.h"
#include "source.h"

namespace emulator {

static std::string place(const void *at) {
	size_t in_shared = (size_t)((const unsigned char *)at - emulated_shared);
	if (in_shared < MOST_SHARED) return "shared memory + " + std::to_string(in_shared) + " of " + std::to_string(shared_bytes) + " bytes";
	if (thread_of_stack(at) >= 0) return "the stack of thread " + std::to_string(thread_of_stack(at));
	return place_of((const char *)at);
}

static std::string words(access kind, const void *p, size_t bytes) {
	static const char *const verbs[] = {"reads ", "writes ", "changes "};
	return verbs[kind] + std::to_string(bytes) + (bytes == 1 ? " byte at " : " bytes at ") + place(p);
}

// fail_at ends the launch with the place in the source, where it is known.
[[noreturn]] static void fail_at(const void *from, int code, const std::string &what) {
	std::string line = source_of(from);
	fail(code, line.empty() ? what : line + ": " + what);
}

void bad_alignment(access kind, const void *p, size_t bytes, const void *from) {
	fail_at(from, MISALIGNED_ADDRESS, words(kind, p, bytes) + ", and the address is no multiple of " + std::to_string(bytes));
}

void bad_shared(access kind, const void *p, size_t bytes, const void *from) { fail_at(from, ILLEGAL_ADDRESS, words(kind, p, bytes)); }

void bad_address(access kind, const void *p, size_t bytes, const void *from) { fail_at(from, ILLEGAL_ADDRESS, words(kind, p, bytes)); }

static std::string thread_name(stamp s) {
	int number = (int)(s & THREAD_MASK);
	return "thread " + triple(index_of_thread(number));
}

// other_access says who made the access that the running one races with, and what is missing between them.
static std::string other_access() {
	stamp s = wrong.other, several = s & BLOCKS;
	const char *verb = wrong.other_writes ? " writes" : " reads";
	if (s < now.launch_start) return operation_of(s) + verb + ", and no event, wait or order of a stream is between them";
	if (several == BLOCKS) return std::string("other blocks") + (wrong.other_writes ? " write" : " read");
	if (s < now.block_start) {
		uint64_t b = block_of(s);
		return thread_name(s) + " of block " + triple(index_of_block(b)) + verb + " in the same launch";
	}
	if (several == ONE_BLOCK) return std::string("other warps") + (wrong.other_writes ? " write" : " read") + ", and no barrier is between them";
	if (several == ONE_WARP)
		return std::string("other threads of the warp") + (wrong.other_writes ? " write" : " read") + ", and no warp operation is between them";
	bool warp = (s & THREAD_MASK) / WARP == (now.mine & THREAD_MASK) / WARP;
	return thread_name(s) + verb + (warp ? ", and no warp operation is between them" : ", and no barrier is between them");
}

static std::string order_words() {
	switch (wrong.what) {
	case wrong::UNWRITTEN:
		return "and nothing wrote there";
	case wrong::ARRIVING:
		return "where a copy_async of " + thread_name(wrong.other) + " is under way, which no copy_async_wait waited for";
	default:
		return "which " + other_access();
	}
}

void bad_order(access kind, const void *p, size_t bytes, const void *from) {
	fail_at(from, LAUNCH_FAILED, words(kind, p, bytes) + ", " + order_words());
}

int bad_range(const char *name, access kind, const void *p, size_t bytes) {
	note_error(ILLEGAL_ADDRESS, std::string(name) + ": " + words(kind, p, bytes));
	return ILLEGAL_ADDRESS;
}

int bad_range_order(const char *name, access kind, const void *p, size_t bytes) {
	note_error(LAUNCH_FAILED, std::string(name) + ": " + words(kind, p, bytes) + ", " + order_words());
	return LAUNCH_FAILED;
}

}
