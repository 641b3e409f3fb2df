// The scheduler of a block: see block.h.
#include "block.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "access.h"
#include "copy.h"
#include "fences.h"
#include "mbarrier.h"
#include "order.h"
#include "products.h"
#include "report.h"
#include "source.h"

extern "C" {
uint3 threadIdx, blockIdx, blockDim, gridDim;
alignas(4096) unsigned char emulated_shared[emulator::MOST_SHARED];
}

namespace emulator {

// Stacks begin in different lines of the cache.
enum { STACK = 128 << 10, STACK_STEP = STACK + 7 * 64 };

thread *running;
unsigned shared_bytes;

static struct {
	fiber scheduler;
	const launch *of;
	int thread_count, warp_count, at_barrier, ended, turn; // turn: the warp that runs
	thread threads[MOST_THREADS];
	struct warp {
		uint32_t lanes, runnable, arrived; // sets of lanes: those there are, those that can run, those that wait for operation
		uint64_t turns;                    // operations that were performed
		const warp_operation *operation;
		void *operands[WARP];
	} warps[MOST_WARPS];
	char *stacks;
	bool stopped;
} block;

static char *stack_of(int thread) { return block.stacks + (size_t)thread * STACK_STEP; }

int thread_of_stack(const void *p) {
	size_t offset = (size_t)((const char *)p - block.stacks);
	return block.stacks && offset < (size_t)MOST_THREADS * STACK_STEP ? (int)(offset / STACK_STEP) : -1;
}

static void stamp_running() {
	const auto *w = &block.warps[running->number / WARP];
	now.mine = now.interval | ((w->turns << TURN_AT) & TURN_MASK) | (stamp)running->number;
}

static void enter(thread *t) {
	running = t;
	threadIdx = t->index;
	set_stack(stack_of(t->number), STACK);
	stamp_running();
}

// pass_on gives the turn to the next thread that can run: of the same warp, then of the following; else to the scheduler.
static void pass_on(fiber *from) {
	for (int i = 0; i < block.warp_count; i++) {
		int w = block.turn + i < block.warp_count ? block.turn + i : block.turn + i - block.warp_count;
		if (!block.warps[w].runnable) continue;
		block.turn = w;
		thread *next = &block.threads[w * WARP + __builtin_ctz(block.warps[w].runnable)];
		enter(next);
		if (&next->at != from) fiber_switch(from, &next->at);
		return;
	}
	running = nullptr;
	fiber_switch(from, &block.scheduler);
}

void stop_block() {
	static fiber abandoned;
	block.stopped = true;
	running = nullptr;
	fiber_switch(&abandoned, &block.scheduler);
	abort();
}

static void body() {
	block.of->kernel->call(block.of->params);
	thread *t = running;
	t->ended = true;
	block.ended++;
	block.warps[t->number / WARP].runnable &= ~(1u << t->number % WARP);
	pass_on(&t->at);
	abort();
}

static void wait_for(const char *what, emulated_site at) {
	running->waits = what, running->site = at;
	block.warps[running->number / WARP].runnable &= ~(1u << running->number % WARP);
}

std::string triple(uint3 v) { return "(" + std::to_string(v.x) + "," + std::to_string(v.y) + "," + std::to_string(v.z) + ")"; }

uint3 index_of_thread(int number) { return block.threads[number].index; }

uint3 index_of_block(uint64_t number) {
	return {(unsigned)(number % gridDim.x), (unsigned)(number / gridDim.x % gridDim.y), (unsigned)(number / gridDim.x / gridDim.y)};
}

std::string place_of_running() {
	std::string place = std::string(block.of->kernel->name) + ", block " + triple(blockIdx);
	return (running ? place + ", thread " + triple(running->index) : place) + ": ";
}

// stand is what a thread does where no thread of the block can go on.
static std::string stand(const thread *t) {
	if (t->ended) return "ended";
	return t->waits ? std::string("at ") + t->waits + " in " + short_path(t->site.file) + ":" + std::to_string(t->site.line) : "under way";
}

// diverged reports which threads stand where.
static void diverged() {
	running = nullptr;
	std::string words = place_of_running() + "threads wait at different places: ";
	for (int i = 0, next; i < block.thread_count; i = next) {
		std::string here = stand(&block.threads[i]);
		for (next = i + 1; next < block.thread_count && stand(&block.threads[next]) == here;) next++;
		if (i) words += "; ";
		words += next - i > 1 ? "threads " + std::to_string(i) + " to " + std::to_string(next - 1) : "thread " + std::to_string(i);
		words += " " + here;
	}
	note_error(LAUNCH_FAILED, words);
}

static bool same_site(emulated_site a, emulated_site b) { return a.line == b.line && (a.file == b.file || !strcmp(a.file, b.file)); }

// release_barrier lets all threads go on, where all wait at the same place.
static bool release_barrier() {
	for (int i = 1; i < block.thread_count; i++)
		if (!same_site(block.threads[0].site, block.threads[i].site)) return false;
	for (int i = 0; i < block.thread_count; i++) block.threads[i].waits = nullptr;
	for (int w = 0; w < block.warp_count; w++) block.warps[w].runnable = block.warps[w].lanes, block.warps[w].turns = 0;
	block.at_barrier = 0;
	now.interval = begin_interval();
	return true;
}

void meet(const warp_operation *operation, void *operand, unsigned mask, emulated_site at) {
	thread *t = running, *first = t - t->number % WARP;
	auto *w = &block.warps[t->number / WARP];
	if (mask != 0xffffffff) fail(LAUNCH_FAILED, std::string(operation->name) + " with a mask that is not 0xffffffff");
	if (!w->arrived) w->operation = operation;
	w->operands[t->number % WARP] = operand;
	w->arrived |= 1u << t->number % WARP;
	wait_for(operation->name, at);
	if (w->operation != operation || !same_site(first[__builtin_ctz(w->arrived)].site, at)) {
		diverged();
		stop_block();
	}
	if (w->arrived != 0xffffffff) return pass_on(&t->at);
	for (int i = 0; i < WARP; i++) first[i].waits = nullptr;
	operation->perform(w->operands);
	w->arrived = 0;
	w->runnable = 0xffffffff;
	w->turns++;
	stamp_running();
}

void park(const char *what, emulated_site at) {
	thread *t = running;
	wait_for(what, at);
	pass_on(&t->at);
}

void wake(int thread) {
	block.threads[thread].waits = nullptr;
	block.warps[thread / WARP].runnable |= 1u << thread % WARP;
}

void pass_interval() {
	now.interval = begin_interval();
	stamp_running();
}

static void set_up(const launch *l) {
	if (!block.stacks)
		block.stacks = (char *)mmap(nullptr, (size_t)MOST_THREADS * STACK_STEP, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	block.of = l;
	block.thread_count = (int)(l->block.x * l->block.y * l->block.z);
	block.warp_count = (block.thread_count + WARP - 1) / WARP;
	block.at_barrier = block.ended = block.turn = 0;
	block.stopped = false;
	for (int w = 0; w < block.warp_count; w++) {
		int lanes = block.thread_count - w * WARP;
		uint32_t set = lanes >= WARP ? 0xffffffff : (1u << lanes) - 1;
		block.warps[w] = {set, set, 0, 0, nullptr, {}};
	}
	for (int i = 0; i < block.thread_count; i++) {
		unsigned x = (unsigned)i % l->block.x, rest = (unsigned)i / l->block.x;
		thread *t = &block.threads[i];
		t->index = {x, rest % l->block.y, rest / l->block.y};
		t->number = i, t->waits = nullptr, t->ended = false;
		fiber_start(&t->at, stack_of(i) + STACK, STACK, body);
	}
}

static bool run_block(const launch *l) {
	set_up(l);
	begin_block();
	forget_barriers();
	forget_products();
	pass_on(&block.scheduler);
	forget_copies();
	if (!block.stopped && block.ended < block.thread_count) diverged();
	return !broken();
}

bool run_launch(const launch *l) {
	blockDim = {l->block.x, l->block.y, l->block.z}, gridDim = {l->grid.x, l->grid.y, l->grid.z};
	shared_bytes = l->shared;
	begin_grid();
	for (unsigned z = 0; z < l->grid.z; z++)
		for (unsigned y = 0; y < l->grid.y; y++)
			for (unsigned x = 0; x < l->grid.x; x++) {
				blockIdx = {x, y, z};
				if (!run_block(l)) return false;
			}
	return true;
}

}

using namespace emulator;

void emulated_barrier(emulated_site at) {
	thread *t = running;
	wait_for("__syncthreads", at);
	if (++block.at_barrier == block.thread_count && !release_barrier()) {
		diverged();
		stop_block();
	}
	pass_on(&t->at);
}

void emulated_fence() { fence(); }

int emulated_lane() { return running->number % WARP; }
