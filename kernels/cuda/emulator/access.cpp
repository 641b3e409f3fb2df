// Accesses of kernels to memory.
#include "atomics.h"

void emulated_atomic(volatile void *, int) {}
