// Attention on the device, for the launchers of attention, its gradient and attention.cached.
#ifndef ATOLL_ATTENTION_LAUNCH_H
#define ATOLL_ATTENTION_LAUNCH_H

#include "launch.h"
#include "source/attention.h"

// attention_packed is the shape of a call whose queries, keys and values are packed rows [B,T,3C].
attention_shape attention_packed(const atoll_call *c);

// attention_fits says whether so many queries and keys can be counted in 32 bits.
static inline int attention_fits(int64_t T, int64_t P) { return T <= 1 << 30 && P <= 1 << 30; }

// attention_wide says whether every row of a head in the n arrays begins at a multiple of 16 bytes and ends at one. Strides are
// multiples of a head.
int attention_wide(const attention_shape *s, uint32_t precision, const CUdeviceptr *arrays, int n);

// attention_element is the size of an element in bytes.
static inline size_t attention_element(uint32_t precision) { return precision == DT_F32 ? 4 : 2; }

// attention_blocks is the grid for B sequences in blocks of so many rows; z is for heads in several parts.
gpu_grid attention_blocks(const attention_shape *s, int64_t B, int rows, int z);

// A forward pass: q, k and v are their first rows, and what is 0 is left out.
typedef struct {
	CUdeviceptr out, lse, q, k, v, lengths, start, seed;
	attention_shape shape;
	int64_t B;
	uint32_t precision;
} attention_pass;

CUresult attention_forward(gpu *g, const attention_pass *p);

// A backward pass; delta is what its first kernel leaves for the second.
typedef struct {
	CUdeviceptr dqkv, dout, qkv, out, lse, delta, lengths, seed;
	attention_shape shape;
	int64_t B;
	uint32_t precision;
} attention_gradient;

// attention_hopper is the way of sm_90a for packed rows; shape.wide is set before.
int attention_hopper_suits(const gpu *g, const attention_pass *p);
CUresult attention_hopper(gpu *g, const attention_pass *p);

// The same for the gradient, of heads of 64 without dropout.
int attention_hopper_suits_gradient(const gpu *g, const attention_gradient *a);
CUresult attention_hopper_gradient(gpu *g, const attention_gradient *a);

#endif
