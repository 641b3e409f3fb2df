// Atomic operations on device and shared memory. One that meets a plain access to the same place is a race, unless a barrier
// or the end of the launch lies between them.
#pragma once

#include <stdint.h>

// emulated_atomic checks an access of so many bytes; after it the place may be read and written without a check.
extern "C" void emulated_atomic(volatile void *p, int bytes);

// The new value comes from the old one; the result is the old one.
template <typename T, typename Change> __attribute__((no_sanitize("thread"), noinline)) static T emulated_change(T *p, Change change) {
	emulated_atomic(p, sizeof(T));
	T old = *p;
	*p = change(old);
	return old;
}

#define EMULATED_ATOMIC(T, name, expression)                                                                  \
	static inline T name(T *p, T x) {                                                                           \
		return emulated_change(p, [x](T old) -> T { return expression; });                                        \
	}
#define EMULATED_ATOMICS(T)                                                                                   \
	EMULATED_ATOMIC(T, atomicAdd, old + x)                                                                      \
	EMULATED_ATOMIC(T, atomicExch, ((void)old, x))                                                              \
	EMULATED_ATOMIC(T, atomicMin, old < x ? old : x)                                                            \
	EMULATED_ATOMIC(T, atomicMax, old > x ? old : x)                                                            \
	EMULATED_ATOMIC(T, atomicAnd, old & x)                                                                      \
	EMULATED_ATOMIC(T, atomicOr, old | x)                                                                       \
	EMULATED_ATOMIC(T, atomicXor, old ^ x)                                                                      \
	static inline T atomicCAS(T *p, T compare, T x) {                                                           \
		return emulated_change(p, [compare, x](T old) { return old == compare ? x : old; });                      \
	}
EMULATED_ATOMICS(int)
EMULATED_ATOMICS(unsigned)
EMULATED_ATOMICS(unsigned long long)
EMULATED_ATOMIC(int, atomicSub, old - x)
EMULATED_ATOMIC(unsigned, atomicSub, old - x)
EMULATED_ATOMIC(unsigned, atomicInc, old >= x ? 0 : old + 1)
EMULATED_ATOMIC(unsigned, atomicDec, old == 0 || old > x ? x : old - 1)
EMULATED_ATOMIC(float, atomicAdd, old + x)
EMULATED_ATOMIC(float, atomicExch, ((void)old, x))
EMULATED_ATOMIC(double, atomicAdd, old + x)
#undef EMULATED_ATOMICS
#undef EMULATED_ATOMIC
