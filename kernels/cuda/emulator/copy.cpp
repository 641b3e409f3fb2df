// Asynchronous copies into shared memory: see tensor.h. A copy is done when its thread waits for it, not before: who forgets to wait
// finds memory that is marked as under way.
#include "copy.h"

#include <deque>

#include "access.h"
#include "block.h"
#include "report.h"
#include "tensor.h"
#include "violation.h"

namespace emulator {

enum { COPY_BYTES = 16 };

struct async_copy {
	char *shared;
	const char *global;
	int bytes, group;
};

// By thread: what is under way, and the number of the group that is being made.
static std::deque<async_copy> under_way[MOST_THREADS];
static int group[MOST_THREADS];

static void mark(const char *shared, stamp written) {
	cell *c = shared_cells + ((const unsigned char *)shared - emulated_shared) / 4;
	for (int i = 0; i < COPY_BYTES / 4; i++) set_cell(&c[i], written);
}

void forget_copies() {
	for (int t = 0; t < MOST_THREADS; t++) {
		for (const async_copy &c : under_way[t]) mark(c.shared, 0);
		under_way[t].clear();
		group[t] = 0;
	}
}

static void arrive(const async_copy *c, const void *from) {
	mark(c->shared, now.mine);
	if (c->bytes) check_access<READ>(c->global, (size_t)c->bytes, 1, from);
	memcpy(c->shared, c->global, (size_t)c->bytes);
	memset(c->shared + c->bytes, 0, (size_t)(COPY_BYTES - c->bytes));
}

// check_copy checks what no single access does: which memory is which, how many bytes, and the alignment of both ends.
static void check_copy(const void *shared, const void *global, int bytes, const void *from) {
	if (bytes < 0 || bytes > COPY_BYTES) fail(LAUNCH_FAILED, "copy_async of " + std::to_string(bytes) + " bytes, want 0 to 16");
	if ((uintptr_t)global % COPY_BYTES) bad_alignment(READ, global, COPY_BYTES, from);
	if ((size_t)((const unsigned char *)shared - emulated_shared) >= MOST_SHARED) bad_address(WRITE, shared, COPY_BYTES, from);
	if (bytes && (size_t)((const unsigned char *)global - emulated_shared) < MOST_SHARED) bad_address(READ, global, (size_t)bytes, from);
}

}

using namespace emulator;

void emulated_copy_async(void *shared, const void *global, int bytes) {
	const void *from = __builtin_return_address(0);
	int t = running->number;
	check_copy(shared, global, bytes, from);
	check_access<WRITE>(shared, COPY_BYTES, COPY_BYTES, from);
	if (bytes) check_access<READ>(global, (size_t)bytes, 1, from);
	mark((const char *)shared, UNDER_WAY | (now.mine & THREAD_MASK));
	under_way[t].push_back({(char *)shared, (const char *)global, bytes, group[t]});
}

void emulated_copy_async_commit() { group[running->number]++; }

void emulated_copy_async_wait(int pending) {
	const void *from = __builtin_return_address(0);
	int t = running->number;
	while (!under_way[t].empty() && under_way[t].front().group < group[t] - pending) {
		async_copy c = under_way[t].front();
		under_way[t].pop_front();
		arrive(&c, from);
	}
}
