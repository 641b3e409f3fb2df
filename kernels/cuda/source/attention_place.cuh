// Where a block of an attention kernel stands: blocks lie along x, those of a head of a sequence side by side, so that what they
// read in common is in the second cache when the next one wants it.
#pragma once

#include "attention_tile.cuh"

// One head of a sequence, and how many of its rows are not padding; below 0 after a fault, when the block has nothing to do.
struct attention_place {
	int b, h, rows;
	int64_t head; // b*H + h
	int first;    // row of the block
};

// place_of is the place of a block of so many rows. The first blocks of a head are those with its first rows, or, where they look
// back at more the further behind they stand, with its last ones: those with most to do begin first, which evens out the end.
static __device__ __forceinline__ attention_place place_of(const attention_shape &s, int rows, bool look_back, const int32_t *lengths,
	fault_record *fault, int call) {
	attention_place at;
	int blocks = ATTENTION_BLOCKS(s.T, rows), block = blockIdx.x % blocks;
	at.head = blockIdx.x / blocks;
	at.b = (int)at.head / s.H, at.h = (int)at.head % s.H;
	at.first = (look_back ? blocks - 1 - block : block) * rows;
	at.rows = lengths ? lengths[at.b] : s.T;
	if (at.rows >= 0 && at.rows <= s.T) return at;
	if (threadIdx.x == 0) report(fault, call, FAULT_LENGTH, at.rows, s.T, at.b);
	at.rows = -1;
	return at;
}

// first_position is where the first query stands, below 0 after a fault.
static __device__ __forceinline__ int first_position(const attention_shape &s, const int32_t *start, fault_record *fault,
	int call) {
	int first = start ? *start : 0;
	if (first >= 0 && first <= s.P - s.T) return first;
	if (threadIdx.x == 0) report(fault, call, FAULT_START, first, s.P, 0);
	return -1;
}

// Rows of a head: queries in qkv or its gradient (or keys and values there, by a pointer to their third), keys and values
// wherever they are, and outputs.
template <typename Act> static __device__ __forceinline__ head_rows<Act> query_rows(Act *q, const attention_shape &s,
	attention_place at) {
	return {q + at.b * (s.T * s.query_stride) + (int64_t)at.h * s.D, s.query_stride};
}
template <typename Act> static __device__ __forceinline__ head_rows<Act> key_rows(Act *k, const attention_shape &s,
	attention_place at) {
	return {k + at.b * (s.P * s.key_stride) + (int64_t)at.h * s.D, s.key_stride};
}
template <typename Act> static __device__ __forceinline__ head_rows<Act> output_rows(Act *out, const attention_shape &s,
	attention_place at) {
	int64_t C = (int64_t)s.H * s.D;
	return {out + at.b * (s.T * C) + (int64_t)at.h * s.D, C};
}

// third is the rows of a head among the queries (0), keys (1) or values (2) of packed rows.
template <typename Act>
static __device__ __forceinline__ head_rows<Act> third(Act *qkv, const attention_shape &s, const attention_place &at, int which) {
	return query_rows(qkv + which * ((int64_t)s.H * s.D), s, at);
}
