// How launchers cut work into blocks, and where kernels may read 16 bytes at a time.
#ifndef ATOLL_CUT_H
#define ATOLL_CUT_H

#include "launch.h"

static inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

// pieces is how many pieces of the size it takes to hold n.
static inline int64_t pieces(int64_t n, int64_t size) { return (n + size - 1) / size; }

static inline size_t whole_256(int64_t bytes) { return (size_t)(pieces(bytes, 256) * 256); }

// Kernels count columns, and rows of tokens, in an int, with room for what the grid takes at once.
enum { MOST = 1 << 30 };

// threads_for is a block for a row of n things, a thread for each where there may be so many: whole warps, at least one.
static inline unsigned threads_for(int64_t n, int64_t most) {
	return (unsigned)smaller(larger(pieces(n, 32), 1) * 32, most);
}

// spread is a grid for a kernel that goes on until n items are done, per_block of them in a block at once: enough blocks to
// fill the device a few times over, and at least one.
static inline gpu_grid spread(const gpu *g, int64_t n, int64_t per_block) {
	int64_t most = (int64_t)gpu_processors(g) * 32;
	return (gpu_grid){(unsigned)larger(smaller(pieces(n, per_block), most), 1), 1, 1};
}

// aligned tells whether all of count addresses are multiples of 16; an argument that is absent is.
static inline int aligned(const CUdeviceptr *address, int count) {
	CUdeviceptr all = 0;
	for (int i = 0; i < count; i++) all |= address[i];
	return (all & 15) == 0;
}

// whole_packs tells whether rows of C activations are whole packs of 16 bytes.
static inline int whole_packs(int64_t C, uint32_t precision) { return C % (precision == DT_F32 ? 4 : 8) == 0; }

#endif
