// A fiber: a stack and a place to go on at. Switching to it saves the registers that a call must keep on the old stack, and is
// a few instructions on x86-64; elsewhere ucontext does it.
#pragma once

#include <stddef.h>

namespace emulator {

struct fiber {
	void *state = nullptr; // x86-64: the stack pointer; elsewhere a ucontext_t
};

// fiber_start makes a fiber that calls entry, which must not return, on the stack that ends at top.
void fiber_start(fiber *f, void *top, size_t bytes, void (*entry)());

// fiber_switch goes on in to; it returns when something switches back to from.
void fiber_switch(fiber *from, fiber *to);

}
