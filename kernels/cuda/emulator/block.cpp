// The scheduler of a block: see block.h.
#include "block.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <string>

#include "report.h"

extern "C" {
uint3 threadIdx;
dim3 blockIdx, blockDim, gridDim;
alignas(4096) unsigned char emulated_shared[emulator::MOST_SHARED];
}

namespace emulator {

enum { STACK = 128 << 10, STAGGER = 7 * 64 }; // stacks that begin in different lines of the cache

thread *running;

static struct {
	fiber scheduler;
	const launch *of;
	int thread_count, warp_count, at_barrier, ended, turn; // turn: the warp that runs
	thread threads[MOST_THREADS];
	warp warps[MOST_WARPS];
	char *stacks;
	bool stopped;
} block;

static void enter(thread *t) {
	running = t;
	threadIdx = t->index;
}

// pass_on gives the turn to the next thread that can run: of the same warp, then of the following; else to the scheduler.
static void pass_on(fiber *from) {
	for (int i = 0; i < block.warp_count; i++) {
		int w = block.turn + i < block.warp_count ? block.turn + i : block.turn + i - block.warp_count;
		if (!block.warps[w].runnable) continue;
		block.turn = w;
		thread *next = &block.threads[w * WARP + __builtin_ctz(block.warps[w].runnable)];
		if (&next->at == from) return enter(next);
		enter(next);
		fiber_switch(from, &next->at);
		return;
	}
	running = nullptr;
	fiber_switch(from, &block.scheduler);
}

static std::string triple(unsigned x, unsigned y, unsigned z) {
	return "(" + std::to_string(x) + "," + std::to_string(y) + "," + std::to_string(z) + ")";
}

std::string place_of_running() {
	std::string place = std::string(block.of->kernel->name) + ", block " + triple(blockIdx.x, blockIdx.y, blockIdx.z);
	return running ? place + ", thread " + triple(running->index.x, running->index.y, running->index.z) + ": " : place + ": ";
}

// stand is what a thread does where no thread of the block can go on.
static std::string stand(const thread *t) {
	if (t->ended) return "ended";
	return std::string("at ") + t->waits + " in " + t->site.file + ":" + std::to_string(t->site.line);
}

// diverged reports which threads stand where.
static void diverged() {
	running = nullptr;
	std::string words = place_of_running() + "threads wait for each other at different places: ";
	for (int i = 0, next; i < block.thread_count; i = next) {
		std::string here = stand(&block.threads[i]);
		for (next = i + 1; next < block.thread_count && stand(&block.threads[next]) == here;) next++;
		if (i) words += "; ";
		words += next - i > 1 ? "threads " + std::to_string(i) + " to " + std::to_string(next - 1) : "thread " + std::to_string(i);
		words += " " + here;
	}
	note_error(LAUNCH_FAILED, words);
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

// release_barrier lets all threads go on, where all wait at the same place.
static bool release_barrier() {
	for (int i = 1; i < block.thread_count; i++) {
		emulated_site a = block.threads[0].site, b = block.threads[i].site;
		if (a.line != b.line || strcmp(a.file, b.file)) return false;
	}
	for (int i = 0; i < block.thread_count; i++) block.threads[i].waits = nullptr;
	for (int w = 0; w < block.warp_count; w++) block.warps[w].runnable = block.warps[w].lanes;
	block.at_barrier = 0;
	return true;
}

void meet(const warp_operation *operation, void *operand, unsigned mask, emulated_site at) {
	thread *t = running;
	warp *w = &block.warps[t->number / WARP];
	int lane = t->number % WARP;
	if (mask != 0xffffffff) fail(LAUNCH_FAILED, std::string(operation->name) + " with a mask that is not 0xffffffff");
	if (!w->arrived) w->operation = operation;
	t->site = at;
	w->operands[lane] = operand;
	w->arrived |= 1u << lane;
	if (w->arrived != 0xffffffff) {
		wait_for(operation->name, at);
		pass_on(&t->at);
		return;
	}
	for (int i = 0; i < WARP; i++) {
		const thread *other = &block.threads[t->number - lane + i];
		if (other->site.line != at.line || strcmp(other->site.file, at.file) || w->operation != operation) {
			wait_for(operation->name, at);
			diverged();
			stop_block();
		}
	}
	for (int i = 0; i < WARP; i++) block.threads[t->number - lane + i].waits = nullptr;
	operation->perform(w->operands);
	w->arrived = 0;
	w->runnable = 0xffffffff;
}

static void set_up(const launch *l) {
	if (!block.stacks)
		block.stacks = (char *)mmap(nullptr, (size_t)MOST_THREADS * (STACK + STAGGER), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	block.of = l;
	block.thread_count = (int)(l->block.x * l->block.y * l->block.z);
	block.warp_count = (block.thread_count + WARP - 1) / WARP;
	block.at_barrier = block.ended = block.turn = 0;
	block.stopped = false;
	for (int w = 0; w < block.warp_count; w++) {
		int lanes = block.thread_count - w * WARP;
		block.warps[w].lanes = block.warps[w].runnable = lanes >= WARP ? 0xffffffff : (1u << lanes) - 1;
		block.warps[w].arrived = 0;
	}
	unsigned i = 0;
	for (unsigned z = 0; z < l->block.z; z++)
		for (unsigned y = 0; y < l->block.y; y++)
			for (unsigned x = 0; x < l->block.x; x++, i++) {
				thread *t = &block.threads[i];
				t->index = {x, y, z};
				t->number = (int)i, t->waits = nullptr, t->ended = false;
				fiber_start(&t->at, block.stacks + (size_t)(i + 1) * (STACK + STAGGER) - STAGGER, STACK, body);
			}
}

static bool run_block(const launch *l) {
	set_up(l);
	pass_on(&block.scheduler);
	if (!block.stopped && block.ended < block.thread_count) diverged();
	return !broken();
}

bool run_launch(const launch *l) {
	blockDim = l->block, gridDim = l->grid;
	for (unsigned z = 0; z < l->grid.z; z++)
		for (unsigned y = 0; y < l->grid.y; y++)
			for (unsigned x = 0; x < l->grid.x; x++) {
				blockIdx = dim3(x, y, z);
				if (!run_block(l)) return false;
			}
	return true;
}

}

using namespace emulator;

void emulated_barrier(emulated_site at) {
	wait_for("__syncthreads", at);
	thread *t = running;
	if (++block.at_barrier == block.thread_count && !release_barrier()) {
		diverged();
		stop_block();
	}
	pass_on(&t->at);
}

int emulated_lane() { return running->number % WARP; }
void emulated_fence() {}
