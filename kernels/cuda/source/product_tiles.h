// The tiles that blocks of threads compute, for the kernels and for the launcher. Plain C.
#ifndef ATOLL_PRODUCT_TILES_H
#define ATOLL_PRODUCT_TILES_H

// On tensor cores: TILE(M, N, depth, stages, warp_M, warp_N, blocks). A block has M x N elements of c, and each of its warps
// warp_M x warp_N of them; stages pieces of a and b are in shared memory or on their way there, each with depth times 16 bytes
// of K. blocks are to fit on a processor at a time, which bounds the registers.
#define TILE_128X256(TILE) TILE(128, 256, 4, 5, 64, 64, 1)
#define TILE_128X128(TILE) TILE(128, 128, 4, 4, 64, 64, 2)
#define TILE_64X64(TILE) TILE(64, 64, 4, 4, 32, 32, 4)
#define TILE_GUARDED(TILE) TILE(64, 64, 4, 4, 32, 32, 2) // operands read one element at a time
#define TILE_16X32(TILE) TILE(16, 32, 8, 6, 16, 16, 6)

// In float32: TILE(M, N, depth, rows, columns, blocks). Each thread has rows x columns elements, in groups of 4 by 4 where there
// are so many; a piece has depth elements of K.
#define F32_128X128(TILE) TILE(128, 128, 8, 8, 8, 2)
#define F32_64X64(TILE) TILE(64, 64, 8, 8, 4, 4)
#define F32_16X32(TILE) TILE(16, 32, 32, 1, 4, 4)

#define TILE_LARGER(x, y) ((x) > (y) ? (x) : (y))
#define TILE_THREADS(M, N, depth, stages, warp_M, warp_N, blocks) ((M) / (warp_M) * ((N) / (warp_N)) * 32)
#define F32_THREADS(M, N, depth, rows, columns, blocks) ((M) / (rows) * ((N) / (columns)))

// Bytes of shared memory. The sums of a tile on tensor cores lie where the stages were, in rows with a gap of 8 floats.
#define TILE_GAP 8
#define TILE_SHARED(M, N, depth, stages, warp_M, warp_N, blocks)                                              \
	TILE_LARGER((stages) * ((M) + (N)) * (depth) * 16, (M) * ((N) + TILE_GAP) * 4)

// With float elements that are read as TF32, rows along M or N have a gap of 2 chunks.
#define TF32_GAP 2
#define TF32_SHARED(M, N, depth, stages, warp_M, warp_N, blocks)                                              \
	TILE_LARGER((stages) * ((M) + (N) + 8 * TF32_GAP) * (depth) * 16, (M) * ((N) + TILE_GAP) * 4)

// Two pieces, in rows along M or N with a gap of 4 floats.
#define F32_GAP 4
#define F32_SHARED(M, N, depth, rows, columns, blocks) (2 * (depth) * ((M) + (N) + 2 * F32_GAP) * 4)

#endif
