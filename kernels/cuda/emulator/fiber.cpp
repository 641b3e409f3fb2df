// See fiber.h.
#include "fiber.h"

#include <stdint.h>

#ifdef __x86_64__

// What a call must keep is pushed, the stack pointer stored in *rdi and taken from *rsi, and the same is popped there.
__asm__(".text\n"
        ".type emulated_fiber_switch,@function\n"
        "emulated_fiber_switch:\n"
        "	pushq %rbp\n"
        "	pushq %rbx\n"
        "	pushq %r12\n"
        "	pushq %r13\n"
        "	pushq %r14\n"
        "	pushq %r15\n"
        "	movq %rsp, (%rdi)\n"
        "	movq (%rsi), %rsp\n"
        "	popq %r15\n"
        "	popq %r14\n"
        "	popq %r13\n"
        "	popq %r12\n"
        "	popq %rbx\n"
        "	popq %rbp\n"
        "	ret\n"
        ".size emulated_fiber_switch, .-emulated_fiber_switch\n");

extern "C" __attribute__((visibility("hidden"))) void emulated_fiber_switch(void **from, void **to);

namespace emulator {

void fiber_start(fiber *f, void *top, size_t, void (*entry)()) {
	void **stack = (void **)((uintptr_t)top & ~(uintptr_t)15);
	*--stack = nullptr; // the address that entry would return to: the stack is then as after a call
	*--stack = (void *)entry;
	for (int i = 0; i < 6; i++) *--stack = nullptr;
	f->state = stack;
}

void fiber_switch(fiber *from, fiber *to) { emulated_fiber_switch(&from->state, &to->state); }

}

#else

#include <ucontext.h>

namespace emulator {

static ucontext_t *context(fiber *f) {
	if (!f->state) f->state = new ucontext_t;
	return (ucontext_t *)f->state;
}

void fiber_start(fiber *f, void *top, size_t bytes, void (*entry)()) {
	ucontext_t *c = context(f);
	getcontext(c);
	c->uc_stack.ss_sp = (char *)top - bytes;
	c->uc_stack.ss_size = bytes;
	c->uc_link = nullptr;
	makecontext(c, entry, 0);
}

void fiber_switch(fiber *from, fiber *to) { swapcontext(context(from), context(to)); }

}

#endif
