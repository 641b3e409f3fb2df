// The first include of every .cu: the CUDA language for nvcc, and for g++ where ATOLL_EMULATED is defined.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <stdint.h>

#include "../../cpu/program.h"
#include "fault.h"

// KERNEL(name) follows each kernel: the emulator registers it there.
#define KERNEL(name)

#define SHARED(type, name) extern __shared__ __align__(128) type name[]

// report notes a fault. The first one of a program wins.
static __device__ inline void report(fault_record *fault, int call, int code, int value, int limit, int index) {
	if (atomicCAS(&fault->code, FAULT_NONE, code) != FAULT_NONE) return;
	fault->call = call;
	fault->index = index;
	fault->value = value;
	fault->limit = limit;
}
