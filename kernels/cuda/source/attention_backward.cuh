// The gradient of attention in half precision. With p = exp(score - lse), mask the dropout factor and delta = dout·out of a
// query:
//
//	ds = p * (mask * dout·v - delta),  dq = scale * ds·k,  dk = scale * dsᵀ·q,  dv = (mask * p)ᵀ·dout
//
// Two kernels, each like the forward one: a block owns queries, sees the tiles of keys before them and sums dq, and then a
// block owns keys, sees the tiles of queries behind them and sums dk and dv. Both compute the scores and dout·v, so seven
// products of T*T*D/2 are made where five would do. The other way, parts of dq from each block of keys that are added up
// afterwards in a fixed order, writes and reads T/128 copies of dq in float32: for heads of 64 that takes an A100 and an H100
// half as long again as the two products, and memory that grows with the square of T. No sum depends on which block is first,
// and none is spilt to shared memory: scores of a block of keys are made transposed, so that they are the left operand of its
// products as they lie in registers.
#pragma once

#include "attention_place.cuh"
#include "attention_product.cuh"
#include "attention_scores.cuh"

template <typename Half> struct gradient_call {
	Half *dqkv;
	const Half *dout, *qkv, *out;
	const float *lse;
	float *delta; // [B,H,T]: written by the first kernel, read by the second
	const int32_t *lengths, *seed;
	attention_shape shape;
	fault_record *fault;
	int call;
};
