// The first include of every .cu: the CUDA language for nvcc, and for g++ where ATOLL_EMULATED is defined.
#pragma once

#ifdef ATOLL_EMULATED
#include "../emulator/language.h"
#else

#include <cuda_bf16.h>
#include <cuda_fp16.h>

// KERNEL(name) follows each kernel: the emulator registers it there.
#define KERNEL(name)

// SHARED(type, name) is the block's shared memory as a pointer, of as many bytes as the launch asks for. It is the only way to
// it: a kernel that wants several arrays cuts it up, so that the emulator knows the bounds.
#define SHARED(type, name)                                                                                    \
	extern __shared__ __align__(128) unsigned char shared_memory[];                                            \
	type *const name = (type *)shared_memory

#endif

#include <stdint.h>

#include "../../cpu/program.h"
#include "fault.h"

// report notes a fault. The first one of a program wins.
static __device__ inline void report(fault_record *fault, int call, int code, int value, int limit, int index) {
	if (atomicCAS(&fault->code, FAULT_NONE, code) != FAULT_NONE) return;
	fault->call = call;
	fault->index = index;
	fault->value = value;
	fault->limit = limit;
}
