// See mbarrier.h and hopper.h. The bytes of a box arrive when somebody waits for them, not before.
#include "mbarrier.h"

#include <algorithm>
#include <map>
#include <vector>

#include "access.h"
#include "block.h"
#include "hopper.h"
#include "order.h"
#include "report.h"

namespace emulator {

struct box {
	unsigned char *shared;
	emulated_tensor_map map;
	int at[3];
};

struct barrier {
	int number, arrivals, missing; // arrivals that the phase still wants
	int64_t bytes;                 // that are announced and have not come
	uint64_t phase;                // that is under way, from 1
	clock said, over;              // what those who arrived knew, in this phase and in those that are over
	std::vector<box> under_way;
	std::vector<int> waiting; // threads
};

// A line was written by a box that came with a phase of a barrier, and read since by warps, each as far as it had come.
struct line {
	int barrier;
	uint64_t phase;
	clock readers;
};

static std::map<const uint64_t *, barrier> barriers;
static std::map<size_t, line> lines;
static clock known[MOST_WARPS]; // [warps, then barriers]
static std::vector<int> meeting[16];

static int warp_of_running() { return running->number / WARP; }

static uint64_t &entry(clock *c, size_t i) {
	if (c->size() <= i) c->resize(i + 1);
	return (*c)[i];
}

void forget_barriers() {
	barriers.clear(), lines.clear();
	for (int w = 0; w < MOST_WARPS; w++) known[w] = {}, entry(&known[w], (size_t)w) = 1;
	for (auto &threads : meeting) threads.clear();
}

static barrier *find(const uint64_t *at) {
	auto found = barriers.find(at);
	if (found == barriers.end()) fail(LAUNCH_FAILED, "a barrier in shared memory that no barrier_init began");
	return &found->second;
}

// turn ends the phase where all has come.
static void turn(barrier *b) {
	if (b->missing || b->bytes) return;
	entry(&b->said, MOST_WARPS + (size_t)b->number) = b->phase++;
	join(&b->over, b->said);
	b->missing = b->arrivals;
	for (int thread : b->waiting) wake(thread);
	b->waiting.clear();
}

static void arrive(const box &x) {
	const emulated_tensor_map *m = &x.map;
	for (uint32_t i = 0; i < m->box[0] * m->box[1] * m->box[2]; i++) {
		uint64_t in[3] = {i % m->box[0], i / m->box[0] % m->box[1], i / m->box[0] / m->box[1]}, from = m->address;
		bool inside = true;
		for (int d = 0; d < 3; d++) {
			int64_t at = x.at[d] + (int64_t)in[d];
			inside = inside && at >= 0 && (uint64_t)at < m->size[d];
			from += (uint64_t)at * m->stride[d];
		}
		uint64_t to = (uint64_t)(x.shared - emulated_shared) + (in[1] + in[2] * m->box[1]) * LINE + in[0] * 2;
		*(uint16_t *)(emulated_shared + (to ^ (to >> 7 & 7) << 4)) = inside ? *(const uint16_t *)from : 0;
	}
}

static void deliver(barrier *b) {
	for (const box &x : b->under_way) {
		arrive(x);
		b->bytes -= (int64_t)x.map.box[0] * x.map.box[1] * x.map.box[2] * 2;
	}
	b->under_way.clear();
	turn(b);
}

// claim_line gives a line to a box that comes with the barrier's phase.
static void claim_line(size_t offset, const barrier *b) {
	line *l = &lines[offset / LINE];
	const clock &mine = known[warp_of_running()];
	for (size_t w = 0; w < l->readers.size(); w++)
		if (l->readers[w] && !covers(mine, w, l->readers[w]))
			fail(LAUNCH_FAILED, "load_box writes to shared memory + " + std::to_string(offset) + ", which a product of warp " +
				std::to_string(w) + " reads, and no barrier is between them");
	*l = {b->number, b->phase, {}};
}

void check_line(size_t offset) {
	auto found = lines.find(offset / LINE);
	std::string what = "a product reads shared memory + " + std::to_string(offset);
	if (offset >= shared_bytes) fail(ILLEGAL_ADDRESS, what + " of " + std::to_string(shared_bytes) + " bytes");
	if (found == lines.end()) fail(LAUNCH_FAILED, what + ", and no box was loaded there");
	if (!covers(known[warp_of_running()], MOST_WARPS + (size_t)found->second.barrier, found->second.phase))
		fail(LAUNCH_FAILED, what + ", where a box is under way, which no barrier_wait of its warp waited for");
}

void read_line(size_t offset) {
	int w = warp_of_running();
	entry(&lines[offset / LINE].readers, (size_t)w) = entry(&known[w], (size_t)w);
}

// check_box checks what the device would: a whole swizzle's alignment, and memory that is there.
static void check_box(const box &x, const void *from) {
	const emulated_tensor_map *m = &x.map;
	if (m->magic != EMULATED_TENSOR_MAP) fail(LAUNCH_FAILED, "load_box by what is no tensor map");
	size_t offset = (size_t)(x.shared - emulated_shared), bytes = (size_t)m->box[1] * m->box[2] * LINE;
	if (offset % 1024 || offset + bytes > shared_bytes)
		fail(offset % 1024 ? MISALIGNED_ADDRESS : ILLEGAL_ADDRESS, "load_box to shared memory + " + std::to_string(offset) +
			" of " + std::to_string(shared_bytes) + ", want a multiple of 1024");
	for (int64_t z = x.at[2]; z < x.at[2] + (int64_t)m->box[2]; z++)
		for (int64_t y = x.at[1]; y < x.at[1] + (int64_t)m->box[1]; y++) {
			int64_t first = std::max(x.at[0], 0), end = std::min<int64_t>(x.at[0] + (int64_t)m->box[0], (int64_t)m->size[0]);
			if (z < 0 || y < 0 || (uint64_t)z >= m->size[2] || (uint64_t)y >= m->size[1] || first >= end) continue;
			uint64_t row = m->address + (uint64_t)z * m->stride[2] + (uint64_t)y * m->stride[1];
			check_access<READ>((const char *)row + first * 2, (size_t)(end - first) * 2, 1, from);
		}
}

}

using namespace emulator;

void emulated_barrier_init(uint64_t *at, int arrivals) {
	check_access<WRITE>(at, sizeof *at, sizeof *at, __builtin_return_address(0));
	int number = (int)barriers.size();
	if (!barriers.insert({at, {number, arrivals, arrivals, 0, 1, {}, {}, {}, {}}}).second)
		fail(LAUNCH_FAILED, "barrier_init of a barrier that is in use");
}

void emulated_barrier_arrive(uint64_t *at, int bytes) {
	barrier *b = find(at);
	int w = warp_of_running();
	join(&b->said, known[w]);
	entry(&known[w], (size_t)w)++;
	b->bytes += bytes;
	if (!b->missing--) fail(LAUNCH_FAILED, "more arrivals at a barrier than its " + std::to_string(b->arrivals));
	turn(b);
}

void emulated_barrier_wait(uint64_t *at, int parity, emulated_site site) {
	barrier *b = find(at);
	deliver(b);
	while ((b->phase & 1) != (uint64_t)parity) { // the phase with the number 1 is the first, and even
		b->waiting.push_back(running->number);
		park("barrier_wait", site);
	}
	join(&known[warp_of_running()], b->over);
}

void emulated_threads_barrier(int id, int threads, emulated_site at) {
	std::vector<int> &here = meeting[id & 15];
	here.push_back(running->number);
	if ((int)here.size() < threads) return park("threads_barrier", at);
	emulator::clock all;
	for (int thread : here) join(&all, known[thread / WARP]);
	for (int thread : here) {
		known[thread / WARP] = all;
		if (thread != running->number) wake(thread);
	}
	for (int thread : here) entry(&known[thread / WARP], (size_t)(thread / WARP)) = all[(size_t)(thread / WARP)] + 1;
	here.clear();
	pass_interval();
}

void emulated_load_box(void *shared, const emulated_tensor_map *map, int x, int y, int z, uint64_t *at) {
	barrier *b = find(at);
	box added = {(unsigned char *)shared, *map, {x, y, z}};
	check_box(added, __builtin_return_address(0));
	size_t offset = (size_t)(added.shared - emulated_shared);
	for (uint32_t row = 0; row < map->box[1] * map->box[2]; row++) claim_line(offset + row * LINE, b);
	b->under_way.push_back(added);
	if (!b->waiting.empty()) deliver(b);
}
