// The products of hopper.cuh. d is [64,N] by warpgroup: the warp's 16 rows as mma_16x8x16 has them, 8 columns each.
#pragma once

#define SUMS_4(d, n) "+f"(d[n][0]), "+f"(d[n][1]), "+f"(d[n][2]), "+f"(d[n][3])
#define SUMS_32(d, n) \
	SUMS_4(d, n), SUMS_4(d, n + 1), SUMS_4(d, n + 2), SUMS_4(d, n + 3), SUMS_4(d, n + 4), SUMS_4(d, n + 5), \
		SUMS_4(d, n + 6), SUMS_4(d, n + 7)
#define REGISTERS_32 \
	"%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
	"%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define REGISTERS_64 \
	"%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
	"%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, " \
	"%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
	"%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"

// multiply_tiles sets (or adds to) d the product of 64 rows of one tile and, as columns, N rows of another, over 16 columns of
// each.
template <typename Half> static __device__ void multiply_tiles(float (&d)[8][4], uint64_t a, uint64_t b, int add);
template <typename Half> static __device__ void multiply_tiles(float (&d)[16][4], uint64_t a, uint64_t b, int add);

#define MULTIPLY_TILES(Half, name)                                                                            \
	template <> __device__ __forceinline__ void multiply_tiles<Half>(float (&d)[8][4], uint64_t a, uint64_t b, int add) { \
		asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %34, 0;\n"                                                \
		             "wgmma.mma_async.sync.aligned.m64n64k16.f32." name "." name " {" REGISTERS_32 "}, "             \
		             "%32, %33, p, 1, 1, 0, 0;\n}"                                                                  \
		             : SUMS_32(d, 0) : "l"(a), "l"(b), "r"(add) : "memory");                                          \
	}                                                                                                          \
	template <> __device__ __forceinline__ void multiply_tiles<Half>(float (&d)[16][4], uint64_t a, uint64_t b, int add) { \
		asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %66, 0;\n"                                                \
		             "wgmma.mma_async.sync.aligned.m64n128k16.f32." name "." name " {" REGISTERS_64 "}, "            \
		             "%64, %65, p, 1, 1, 0, 0;\n}"                                                                  \
		             : SUMS_32(d, 0), SUMS_32(d, 8) : "l"(a), "l"(b), "r"(add) : "memory");                           \
	}
MULTIPLY_TILES(__nv_bfloat16, "bf16")
MULTIPLY_TILES(__half, "f16")

// multiply_weights adds to d the product of a fragment of 16 weights a row, as mma_16x8x16 has it, and 16 rows of a tile, N
// columns.
template <typename Half> static __device__ void multiply_weights(float (&d)[8][4], const uint32_t (&a)[4], uint64_t b);
template <typename Half> static __device__ void multiply_weights(float (&d)[16][4], const uint32_t (&a)[4], uint64_t b);

#define MULTIPLY_WEIGHTS(Half, name)                                                                          \
	template <> __device__ __forceinline__ void multiply_weights<Half>(float (&d)[8][4], const uint32_t (&a)[4], uint64_t b) { \
		asm volatile("wgmma.mma_async.sync.aligned.m64n64k16.f32." name "." name " {" REGISTERS_32 "}, "            \
		             "{%32, %33, %34, %35}, %36, 1, 1, 1, 1;"                                                          \
		             : SUMS_32(d, 0) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b) : "memory");                \
	}                                                                                                          \
	template <> __device__ __forceinline__ void multiply_weights<Half>(float (&d)[16][4], const uint32_t (&a)[4], uint64_t b) { \
		asm volatile("wgmma.mma_async.sync.aligned.m64n128k16.f32." name "." name " {" REGISTERS_64 "}, "           \
		             "{%64, %65, %66, %67}, %68, 1, 1, 1, 1;"                                                          \
		             : SUMS_32(d, 0), SUMS_32(d, 8) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b) : "memory"); \
	}
MULTIPLY_WEIGHTS(__nv_bfloat16, "bf16")
MULTIPLY_WEIGHTS(__half, "f16")
