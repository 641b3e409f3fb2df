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

// check_words checks bytes that begin and end with a word; check_any has parts of words at both ends.
template <access kind, bool shared> static inline bool check_words(cell *c, size_t bytes) {
	for (cell *end = c + bytes / 4; c < end; c++)
		if (__builtin_expect(!check_cell<kind, shared>(c), 0)) return false;
	return true;
}

template <access kind, bool shared> static bool check_any(cell *c, size_t offset, size_t bytes) {
	if (size_t before = offset % 4) {
		size_t part = 4 - before < bytes ? 4 - before : bytes;
		if (!check_bytes<kind, shared>(c++, (unsigned)before, (unsigned)part)) return false;
		bytes -= part;
	}
	if (!check_words<kind, shared>(c, bytes)) return false;
	return bytes % 4 == 0 || check_bytes<kind, shared>(c + bytes / 4, 0, (unsigned)(bytes % 4));
}

// A number of bytes that is known when this is compiled, and aligned, leaves one of the two.
template <access kind, bool shared> __attribute__((always_inline)) static inline bool check_cells(cell *cells, size_t offset, size_t bytes, size_t alignment) {
	if (alignment >= 4) return check_words<kind, shared>(cells + offset / 4, bytes);
	return check_any<kind, shared>(cells + offset / 4, offset, bytes);
}

template <access kind> __attribute__((always_inline)) inline void check_access(const void *at, size_t bytes, size_t alignment, const void *from) {
	const char *p = (const char *)at;
	bool good;
	if ((size_t)(p - stack_low) < stack_bytes) return;
	if (__builtin_expect((uintptr_t)p & (alignment - 1), 0)) bad_alignment(kind, p, bytes, from);
	size_t in_shared = (size_t)(p - (const char *)emulated_shared);
	if (in_shared < MOST_SHARED) {
		if (__builtin_expect(in_shared + bytes > shared_bytes, 0)) bad_shared(kind, p, bytes, from);
		good = check_cells<kind, true>(shared_cells, in_shared, bytes, alignment);
	} else {
		if (__builtin_expect(!allocation_of(p, bytes), 0)) bad_address(kind, p, bytes, from);
		good = check_cells<kind, false>(device_cells, (size_t)(p - device_range), bytes, alignment);
	}
	if (__builtin_expect(!good, 0)) bad_order(kind, p, bytes, from);
}
template void check_access<READ>(const void *p, size_t bytes, size_t alignment, const void *from);
template void check_access<WRITE>(const void *p, size_t bytes, size_t alignment, const void *from);

template <access kind> int check_range(const char *name, const void *p, size_t bytes) {
	if (!bytes) return SUCCESS;
	if (!allocation_of((const char *)p, bytes)) return bad_range(name, kind, p, bytes);
	size_t offset = (size_t)((const char *)p - device_range);
	return check_any<kind, false>(device_cells + offset / 4, offset, bytes) ? SUCCESS : bad_range_order(name, kind, p, bytes);
}
template int check_range<READ>(const char *name, const void *p, size_t bytes);
template int check_range<WRITE>(const char *name, const void *p, size_t bytes);

}

using namespace emulator;

namespace emulator {

// at_once is whether an access is to the thread's own stack, or one of those reads of shared memory that need no note: what most
// are. It is apart from the rest, and calls nothing, since a call costs as much as it does.
template <access kind> __attribute__((always_inline)) static inline bool at_once(const void *p, size_t bytes) {
	if ((size_t)((const char *)p - stack_low) < stack_bytes) return true;
	size_t in_shared = (size_t)((const char *)p - (const char *)emulated_shared);
	if (kind != READ || bytes % 4 || in_shared >= shared_bytes || in_shared % bytes || in_shared + bytes > shared_bytes) return false;
	const cell *c = shared_cells + in_shared / 4;
	return read_by_block(c, c + bytes / 4);
}

template <access kind, size_t bytes> __attribute__((noinline)) static void check_fully(const void *p, const void *from) {
	check_access<kind>(p, bytes, bytes, from);
}

template <access kind, size_t bytes> __attribute__((always_inline)) static inline void check_aligned(const void *p, const void *from) {
	if (!at_once<kind>(p, bytes)) check_fully<kind, bytes>(p, from);
}

}

#define HIDDEN extern "C" __attribute__((visibility("hidden")))
#define ACCESSES(bytes)                                                                                       \
	HIDDEN void __tsan_read##bytes(void *p) { check_aligned<READ, bytes>(p, __builtin_return_address(0)); }     \
	HIDDEN void __tsan_write##bytes(void *p) { check_aligned<WRITE, bytes>(p, __builtin_return_address(0)); }   \
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
