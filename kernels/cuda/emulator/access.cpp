// See access.h. Kernels are compiled with -fsanitize=thread and so call a function before each access that may be to memory that
// others see; the functions are here, not in the sanitizer's library.
#include "access.h"

#include "atomics.h"
#include "block.h"
#include "fences.h"
#include "memory.h"
#include "report.h"
#include "violation.h"

namespace emulator {

static const char *stack_low;
static size_t stack_bytes;

void set_stack(const char *low, size_t bytes) { stack_low = low, stack_bytes = bytes; }

// check_cells checks one access: where its cells are alike, which they mostly are, the first one stands for the others.
template <access kind, bool shared> static inline bool check_cells(const char *p, size_t bytes) {
	size_t offset = shared ? (size_t)(p - (const char *)emulated_shared) : (size_t)(p - device_range);
	cell *c = (shared ? shared_cells : device_cells) + offset / 2, *last = c + (offset % 2 + bytes - 1) / 2;
	cell before = *c;
	if (__builtin_expect(!check_cell<kind, shared>(c), 0)) return false;
	bool alike = shared || now.floor == now.launch_start; // else a cell may have readers kept for it alone
	for (cell after = *c; c++ < last;) {
		if (alike && c->written == before.written && c->read == before.read) {
			*c = after;
			continue;
		}
		before = *c;
		if (__builtin_expect(!check_cell<kind, shared>(c), 0)) return false;
		after = *c;
	}
	return true;
}

template <access kind> __attribute__((always_inline)) inline void check_access(const void *at, size_t bytes, size_t alignment, const void *from) {
	const char *p = (const char *)at;
	bool good;
	if ((size_t)(p - stack_low) < stack_bytes) return;
	if (__builtin_expect((uintptr_t)p & (alignment - 1), 0)) bad_alignment(kind, p, bytes, from);
	size_t in_shared = (size_t)(p - (const char *)emulated_shared);
	if (in_shared < MOST_SHARED) {
		if (in_shared + bytes > shared_bytes) bad_shared(kind, p, bytes, from);
		good = check_cells<kind, true>(p, bytes);
	} else {
		if (!allocation_of(p, bytes)) bad_address(kind, p, bytes, from);
		good = check_cells<kind, false>(p, bytes);
	}
	if (__builtin_expect(!good, 0)) bad_order(kind, p, bytes, from);
}
template void check_access<READ>(const void *p, size_t bytes, size_t alignment, const void *from);
template void check_access<WRITE>(const void *p, size_t bytes, size_t alignment, const void *from);

template <access kind> int check_range(const char *name, const void *p, size_t bytes) {
	if (!bytes) return SUCCESS;
	if (!allocation_of((const char *)p, bytes)) return bad_range(name, kind, p, bytes);
	return check_cells<kind, false>((const char *)p, bytes) ? SUCCESS : bad_range_order(name, kind, p, bytes);
}
template int check_range<READ>(const char *name, const void *p, size_t bytes);
template int check_range<WRITE>(const char *name, const void *p, size_t bytes);

}

using namespace emulator;

#define HIDDEN extern "C" __attribute__((visibility("hidden")))
#define ACCESSES(bytes)                                                                                       \
	HIDDEN void __tsan_read##bytes(void *p) { check_access<READ>(p, bytes, bytes, __builtin_return_address(0)); }   \
	HIDDEN void __tsan_write##bytes(void *p) { check_access<WRITE>(p, bytes, bytes, __builtin_return_address(0)); } \
	HIDDEN void __tsan_unaligned_read##bytes(void *p) { check_access<READ>(p, bytes, 1, __builtin_return_address(0)); } \
	HIDDEN void __tsan_unaligned_write##bytes(void *p) { check_access<WRITE>(p, bytes, 1, __builtin_return_address(0)); }
ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)

HIDDEN void __tsan_read_range(void *p, size_t bytes) {
	if (bytes) check_access<READ>(p, bytes, 1, __builtin_return_address(0));
}
HIDDEN void __tsan_write_range(void *p, size_t bytes) {
	if (bytes) check_access<WRITE>(p, bytes, 1, __builtin_return_address(0));
}
HIDDEN void __tsan_init() {}

void emulated_atomic(volatile void *p, int bytes) {
	check_access<CHANGE>((const void *)p, (size_t)bytes, (size_t)bytes, __builtin_return_address(0));
	if ((size_t)((const char *)p - device_range) < device_range_bytes) atomic(p);
}
