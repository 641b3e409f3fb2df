// What the attention kernels and their launchers share: the sizes of a call, and how its work is cut. Plain C, and C++ for
// nvcc.
#ifndef ATOLL_ATTENTION_SHAPE_H
#define ATOLL_ATTENTION_SHAPE_H

#include <stdint.h>

// Sequences of T queries and P keys, of which H heads of D columns each are attended to. Query t stands at position start + t
// of the P, start being 0 but for cached attention, and sees the keys 0 to start + t.
typedef struct {
	int32_t T, P, H, D;
	int64_t query_stride, key_stride; // elements from row to row: of q, and of k and v; those of out lie H*D apart
	uint32_t salt;                    // of the dropout
	float dropout, scale;             // scores are q·k * scale
	int32_t wide;                     // every row of a head begins at a multiple of 16 bytes and ends at one
} attention_shape;

enum { ATTENTION_THREADS = 128, ATTENTION_WARPS = 4 };

// How many blocks of so many rows a head takes: one at least, which looks at lengths.
#define ATTENTION_BLOCKS(T, rows) ((T) > 0 ? ((T) + (rows) - 1) / (rows) : 1)

// Head sizes that tensor cores serve are padded to one of four widths W; larger ones take the plain kernels.
enum { ATTENTION_WIDEST = 128 };
#define ATTENTION_WIDTH(D) ((D) <= 32 ? 32 : (D) <= 64 ? 64 : (D) <= 96 ? 96 : ATTENTION_WIDEST)

// Rows that a warp of each kernel owns, and rows of the tiles that pass by, by width. A block owns four times a warp's rows.
// More rows of its own make better use of what a warp loads from shared memory; the registers for their sums are the bound.
#define FORWARD_OWN(W) 32
#define FORWARD_TILE(W) ((W) <= 96 ? 64 : 32)
#define QUERIES_OWN(W) ((W) <= 64 ? 32 : 16)
#define QUERIES_TILE(W) ((W) == 96 ? 64 : 32) // 64 at 128 takes more registers than a thread has on sm_89
#define KEYS_OWN(W) ((W) <= 64 ? 32 : 16)
#define KEYS_TILE(W) 32

// Bytes of shared memory: tiles of halves, of which those that pass by are there twice.
#define ATTENTION_TILE_BYTES(rows, W) ((rows) * (W) * 2)
#define FORWARD_SHARED(W) (ATTENTION_TILE_BYTES(4 * FORWARD_OWN(W), W) + 2 * 2 * ATTENTION_TILE_BYTES(FORWARD_TILE(W), W))
#define QUERIES_SHARED(W) (2 * ATTENTION_TILE_BYTES(4 * QUERIES_OWN(W), W) + 2 * 2 * ATTENTION_TILE_BYTES(QUERIES_TILE(W), W))
#define KEYS_SHARED(W) \
	(2 * ATTENTION_TILE_BYTES(4 * KEYS_OWN(W), W) + 2 * (2 * ATTENTION_TILE_BYTES(KEYS_TILE(W), W) + 2 * KEYS_TILE(W) * 4))

// The plain kernels compute 64x64 scores at a time, and sums for 64 or 128 columns of a head, gradients for 64. Their shared
// memory is floats: the weights, two times 32 columns of a head or 32 rows of up to 128, and delta.
enum { PLAIN_EDGE = 64, PLAIN_DEPTH = 32, PLAIN_GRADIENT_WIDTH = 64 };
#define PLAIN_WIDTH(D) ((D) <= 64 ? 64 : 128)
#define PLAIN_SHARED ((PLAIN_EDGE * PLAIN_EDGE + PLAIN_DEPTH * 128 + PLAIN_EDGE) * 4)

// Cached attention splits keys into parts of 128, a thread for each. Floats in shared memory: the scores, one for each warp,
// and sums of values, up to 8 for each thread.
enum { CACHED_KEYS = ATTENTION_THREADS };
#define CACHED_SHARED ((CACHED_KEYS + ATTENTION_WARPS + 8 * ATTENTION_THREADS) * 4)

// On sm_90a, heads of W = 64 and 128 go another way: two warpgroups that own 64 rows of a tile each and one that copies; a block has
// two tiles of its own, and two pairs of others are under way. Tiles begin at a multiple of 1024 bytes; behind them lie the barriers.
enum { HOPPER_THREADS = 384, HOPPER_TILE = 128, HOPPER_STAGES = 2, HOPPER_PANEL = 64 };
#define HOPPER_SHARED(W) (1024 + (2 + 2 * HOPPER_STAGES) * HOPPER_TILE * (W) * 2 + (2 + 4 * HOPPER_STAGES) * 8)

// The gradients for heads of 64: two pairs of tiles of a block's own, HOPPER_STAGES pairs that pass by, 8 times 128 floats.
#define HOPPER_GRADIENT_SHARED (1024 + (2 + HOPPER_STAGES) * 2 * HOPPER_TILE * 64 * 2 + 8 * HOPPER_TILE * 4 + (2 + 2 * HOPPER_STAGES) * 8)

#endif
