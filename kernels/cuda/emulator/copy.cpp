// Asynchronous copies into shared memory: see tensor.h. A copy is done when its thread waits for it, not before: who forgets to
// wait reads what was there.
#include <string.h>

#include <deque>
#include <vector>

#include "block.h"
#include "tensor.h"

namespace emulator {

struct async_copy {
	char *shared;
	const char *global;
	int bytes, group;
};

// By thread: what is under way, and the number of the group that is being made.
static std::deque<async_copy> under_way[MOST_THREADS];
static int group[MOST_THREADS];

void forget_copies() {
	for (auto &copies : under_way) copies.clear();
}

}

using namespace emulator;

void emulated_copy_async(void *shared, const void *global, int bytes) {
	int t = running->number;
	under_way[t].push_back({(char *)shared, (const char *)global, bytes, group[t]});
}

void emulated_copy_async_commit() { group[running->number]++; }

void emulated_copy_async_wait(int pending) {
	int t = running->number;
	while (!under_way[t].empty() && under_way[t].front().group < group[t] - pending) {
		async_copy c = under_way[t].front();
		under_way[t].pop_front();
		memcpy(c.shared, c.global, (size_t)c.bytes);
		memset(c.shared + c.bytes, 0, (size_t)(16 - c.bytes));
	}
}
