// What only sm_90a has: barriers that count arrivals and bytes, copies of boxes of a tensor into shared memory, and products of
// a warpgroup (four warps, the first at a multiple of four) that run by themselves. The emulator has the same functions in C++.
#pragma once

#include "tensor.cuh"

// HAS_HOPPER is whether a kernel may use this: it is empty when compiled for other GPUs.
#if defined(ATOLL_EMULATED) || defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define HAS_HOPPER 1
#else
#define HAS_HOPPER 0
#endif

#ifdef ATOLL_EMULATED
#include "../emulator/hopper.h"
#else

// A CUtensorMap, as cuTensorMapEncodeTiled makes it. A kernel takes it as const __grid_constant__ tensor_map.
struct alignas(64) tensor_map {
	uint64_t opaque[16];
};

// A barrier lies in shared memory. It is over, and begins its next phase, once so many arrivals and all bytes that were
// announced have come. After all are initialised by one thread, barriers_begin and __syncthreads make them known.
static __device__ __forceinline__ void barrier_init(uint64_t *barrier, int arrivals) {
	asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(arrivals) : "memory");
}
static __device__ __forceinline__ void barriers_begin() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }

static __device__ __forceinline__ void barrier_arrive(uint64_t *barrier) {
	asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier)) : "memory");
}

// barrier_expect announces bytes, and arrives.
static __device__ __forceinline__ void barrier_expect(uint64_t *barrier, int bytes) {
	asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)), "r"(bytes) : "memory");
}

// barrier_wait waits for the end of the phase of that parity: the first is even. An odd one is over at the start.
static __device__ __forceinline__ void barrier_wait(uint64_t *barrier, int parity) {
	uint32_t over;
	do {
		asm volatile("{\n.reg .pred p;\nmbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\nselp.u32 %0, 1, 0, p;\n}"
		             : "=r"(over) : "r"(shared_address(barrier)), "r"(parity) : "memory");
	} while (!over);
}

// threads_barrier lets so many threads, whole warps, wait for each other. id is 1 to 15.
static __device__ __forceinline__ void threads_barrier(int id, int threads) {
	asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

// load_box begins to copy the box of the map's size at x, y, z to shared memory, a multiple of 1024 for the swizzle over 128
// bytes: there, bits 4 to 6 of an address are changed by bits 7 to 9. Its bytes arrive at the barrier. What is beyond the
// tensor is 0.
static __device__ __forceinline__ void load_box(void *shared, const tensor_map *map, int x, int y, int z, uint64_t *barrier) {
	asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
	             "[%0], [%1, {%3, %4, %5}], [%2];" ::"r"(shared_address(shared)), "l"(map), "r"(shared_address(barrier)), "r"(x),
		"r"(y), "r"(z) : "memory");
}

// All warps of a warpgroup give registers to the block or take from it, down or up to so many a thread.
template <int registers> static __device__ __forceinline__ void give_registers() {
	asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(registers));
}
template <int registers> static __device__ __forceinline__ void take_registers() {
	asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(registers));
}

// Products come in groups: products_begin before the first, since registers were written; products_commit behind the last; then
// products_wait until at most pending groups are under way. Until a group is over, its registers and its tiles are not touched,
// and settle keeps the compiler from it: it is called for sums before products_begin and behind products_wait.
static __device__ __forceinline__ void products_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
static __device__ __forceinline__ void products_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int pending> static __device__ __forceinline__ void products_wait() {
	asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(pending) : "memory");
}
template <int N> static __device__ __forceinline__ void settle(float (&sums)[N][4]) {
#pragma unroll
	for (int n = 0; n < N; n++)
#pragma unroll
		for (int e = 0; e < 4; e++) asm volatile("" : "+f"(sums[n][e])::"memory");
}

// swizzled_tile describes rows of 128 bytes in shared memory as load_box leaves them. Groups of 8 rows lie 1024 bytes apart;
// columns behind the first 64 lie panel bytes further on.
static __device__ __forceinline__ uint64_t swizzled_tile(const void *start, int panel) {
	uint64_t at = shared_address(start) & 0x3ffff, apart = 1024, swizzle = 1;
	return at >> 4 | (uint64_t)(panel >> 4) << 16 | apart >> 4 << 32 | swizzle << 62;
}

#include "hopper_products.cuh"

#endif
