// The CUDA language for g++, as far as kernels/cuda/source uses it: what cuda_runtime.h is to nvcc. Every CUDA thread is a fiber with
// a stack of its own; a barrier or a warp operation switches to the next. Checked accesses to memory: see access.cpp.
#pragma once

#include <stdint.h>
#include <string.h>

#include <type_traits>
#include <utility>

#include "vectors.h"

#define __global__
#define __device__ __attribute__((always_inline))
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __restrict__ __restrict
#define __align__(n) __attribute__((aligned(n)))
#define __launch_bounds__(...)

// Where in the source a thread waits. As the default of a parameter, EMULATED_HERE is the line of the call.
struct emulated_site {
	const char *file;
	int line;
	static constexpr emulated_site here(const char *file = __builtin_FILE(), int line = __builtin_LINE()) { return {file, line}; }
};
#define EMULATED_HERE emulated_site::here()

extern "C" {

// The running thread's own; a switch of fibers changes them. They are const in kernels, so that reading one is no access to memory.
#ifdef ATOLL_EMULATED
#define EMULATED_NAME extern const
#else
#define EMULATED_NAME extern
#endif
EMULATED_NAME uint3 threadIdx, blockIdx, blockDim, gridDim;

// The block's shared memory: always at the same address.
extern unsigned char emulated_shared[];

static const int warpSize = 32;

void emulated_barrier(emulated_site at);
void emulated_fence();
}

// Calls of the C library are accesses too, where they stay calls: those of a few bytes become loads and stores.
#ifdef ATOLL_EMULATED
#define __noinline__ __attribute__((noinline))
extern "C" void __tsan_read_range(void *p, size_t bytes);
extern "C" void __tsan_write_range(void *p, size_t bytes);
static __forceinline__ void *emulated_memcpy(void *to, const void *from, size_t n) {
	if (!__builtin_constant_p(n) || n > 16) __tsan_read_range((void *)from, n), __tsan_write_range(to, n);
	return __builtin_memcpy(to, from, n);
}
static __forceinline__ void *emulated_memset(void *to, int value, size_t n) {
	if (!__builtin_constant_p(n) || n > 16) __tsan_write_range(to, n);
	return __builtin_memset(to, value, n);
}
#define memcpy(to, from, n) emulated_memcpy(to, from, n)
#define memset(to, value, n) emulated_memset(to, value, n)
#endif

#define SHARED(type, name) type *const name = (type *)emulated_shared

static inline void __syncthreads(emulated_site at = EMULATED_HERE) { emulated_barrier(at); }
static inline void __threadfence() { emulated_fence(); }
static inline void __threadfence_block() {}

// A kernel as the driver finds it by name: call unpacks the parameters, each at the address that params has for it.
struct emulated_kernel {
	const char *name;
	void (*call)(void *const *params);
	const size_t *sizes; // of the parameters in bytes
	int count;           // of the parameters
};

extern "C" void emulated_register(const emulated_kernel *kernel);

template <auto function> struct emulated_caller;
template <typename... Parameters, void (*function)(Parameters...)> struct emulated_caller<function> {
	static constexpr size_t sizes[] = {sizeof(Parameters)..., 0};
	template <size_t... i> __attribute__((no_sanitize("thread"))) static void unpack(void *const *params, std::index_sequence<i...>) {
		function(*(const Parameters *)params[i]...);
	}
	__attribute__((no_sanitize("thread"))) static void call(void *const *params) {
		(void)params;
		unpack(params, std::index_sequence_for<Parameters...>());
	}
	__attribute__((no_sanitize("thread"))) explicit emulated_caller(const char *name) {
		static emulated_kernel kernel;
		kernel = {name, call, sizes, (int)sizeof...(Parameters)};
		emulated_register(&kernel);
	}
};

// KERNEL(name) follows each kernel and makes it known to the driver.
#define KERNEL(name) static const emulated_caller<&name> emulated_caller_of_##name(#name);

#include "arithmetic.h"
#include "atomics.h"
#include "half.h"
#include "warp.h"
