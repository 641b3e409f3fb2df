// Tensor cores, matrix loads and asynchronous copies into shared memory: the one place with instructions that C++ has no words
// for. All but the copies are done by the 32 threads of a warp together. The emulator has the same functions in C++.
#pragma once

#include "device.cuh"

#ifdef ATOLL_EMULATED
#include "../emulator/tensor.h"
#else

// d += a·b for a [16,16] in rows and b [16,8] in columns, products of two halves summed in float32. Thread l holds, with
// g = l/4 and t = l%4 (PTX ISA, mma.m16n8k16): a[0] = A[g][2t..2t+1], a[1] = A[g+8][2t..], a[2] = A[g][2t+8..], a[3] = A[g+8][2t+8..];
// b[0] = B[2t..2t+1][g], b[1] = B[2t+8..][g]; d[0..1] = D[g][2t..2t+1], d[2..3] = D[g+8][2t..2t+1].
template <typename Half> static __device__ inline void mma_16x8x16(float d[4], const uint32_t a[4], const uint32_t b[2]);

#define MMA_16X8X16(Half, name)                                                                               \
	template <> __device__ inline void mma_16x8x16<Half>(float d[4], const uint32_t a[4], const uint32_t b[2]) {  \
		asm volatile("mma.sync.aligned.m16n8k16.row.col.f32." name "." name ".f32 "                              \
		             "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"                                      \
		             : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])                                             \
		             : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));                         \
	}
MMA_16X8X16(__nv_bfloat16, "bf16")
MMA_16X8X16(__half, "f16")

// The same for a [16,8] and b [8,8] of TF32, as tf32 gives them: a[0] = A[g][t], a[1] = A[g+8][t], a[2] = A[g][t+4],
// a[3] = A[g+8][t+4]; b[0] = B[t][g], b[1] = B[t+4][g]; d as above.
static __device__ inline void mma_16x8x8_tf32(float d[4], const uint32_t a[4], const uint32_t b[2]) {
	asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
	             : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
	             : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// x rounded to TF32's 10 bits of fraction, to nearest, ties away from zero.
static __device__ inline uint32_t tf32(float x) {
	uint32_t bits;
	asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
	return bits;
}

// 2^x with an error of two units in the last place, and 0 where that is below 2^-126. One instruction, where exp2f takes four.
static __device__ inline float exp2_flushed(float x) {
	float y;
	asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
	return y;
}

static __device__ inline uint32_t shared_address(const void *p) { return (uint32_t)__cvta_generic_to_shared(p); }

// Matrix i of four 8x8 matrices of halves lies in shared memory in rows of 16 bytes, whose addresses threads 8i to 8i+7 pass in
// row. Thread l gets in r[i] elements 2(l%4) and 2(l%4)+1 of row l/4; transposed: of column l/4.
static __device__ inline void load_matrix_x4(uint32_t r[4], const void *row) {
	asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
	             : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared_address(row)) : "memory");
}
static __device__ inline void load_matrix_x4_transposed(uint32_t r[4], const void *row) {
	asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
	             : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared_address(row)) : "memory");
}

// The first bytes (0 to 16) of 16 at global go to shared memory, the rest of the 16 become 0. Both addresses are multiples of 16.
// What was copied may be read after copy_async_wait by the same thread, and by others after a barrier behind that.
static __device__ inline void copy_async(void *shared, const void *global, int bytes) {
	asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)), "l"(global), "r"(bytes) : "memory");
}

// The copies of this thread since the last commit become a group.
static __device__ inline void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Waits until at most pending of this thread's latest groups are still under way.
template <int pending> static __device__ inline void copy_async_wait() {
	asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
}

#endif
