// A block of CUDA threads under way. Blocks run one after the other, the threads of a block take turns: a thread runs until it
// waits for a barrier or for its warp, or ends.
#pragma once

#include <stdint.h>

#include <string>

#include "fiber.h"
#include "language.h"

namespace emulator {

enum { WARP = 32, MOST_THREADS = 1024, MOST_WARPS = MOST_THREADS / WARP, MOST_SHARED = 227 << 10 };

struct thread {
	fiber at;
	uint3 index;
	int number; // in the block
	const char *waits; // for what: the name of an operation, or null
	emulated_site site;
	bool ended;
};

// An operation that the lanes of a warp do together: the last one to come performs it for all. operands point to what
// each lane brought, and where its result goes.
struct warp_operation {
	const char *name;
	void (*perform)(void *const operands[WARP]);
};

struct launch {
	const emulated_kernel *kernel;
	dim3 grid, block;
	unsigned shared; // bytes
	void *const *params;
};

// run_launch runs a grid. It is false where an error stopped it; broken() is its code then.
bool run_launch(const launch *l);

// meet waits for the other lanes of the warp at the same operation.
void meet(const warp_operation *operation, void *operand, unsigned mask, emulated_site at);

// park stops the running thread until another one wakes it; what it waits for is named where nobody can go on.
void park(const char *what, emulated_site at);
void wake(int thread);

// pass_interval begins an interval: what some threads of the block did before they met is in order with all that follows.
void pass_interval();

// The thread that runs, or null where none does, and the bytes of shared memory of its block.
extern thread *running;
extern unsigned shared_bytes;

// For reports: which kernel, block and thread runs; the index of a thread of the block by its number, and of a block of the
// grid; whose stack an address is in, -1 where nobody's.
std::string place_of_running();
uint3 index_of_thread(int number);
uint3 index_of_block(uint64_t number);
std::string triple(uint3 v);
int thread_of_stack(const void *p);

// stop_block ends the launch from within a thread, which does not go on: an error was reported.
[[noreturn]] void stop_block();

}
