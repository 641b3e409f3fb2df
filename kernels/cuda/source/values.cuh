// Neighbouring values of a row in registers, as float32. wide: they are read and written 16 bytes at a time, which needs rows
// that begin at multiples of 16 bytes and hold whole packs of activations. Else it is one value at a time, with the same
// result.
#pragma once

#include "act.cuh"

// inside tells whether value i of those that begin at column at lies in a row of C columns.
template <bool wide> static __device__ inline bool inside(int at, int i, int C) { return wide ? at < C : at + i < C; }

// load reads the values from column at on; those past the end of the row are 0.
template <bool wide, int size, typename T>
static __device__ inline void load(float (&x)[size], const T *row, int at, int C) {
	if constexpr (wide) {
		using Pack = pack<T>;
#pragma unroll
		for (int i = 0; i < size; i += Pack::size) {
			Pack p = {};
			if (at < C) p = *(const Pack *)(row + at + i);
#pragma unroll
			for (int j = 0; j < Pack::size; j++) x[i + j] = widen(p.at[j]);
		}
	} else {
#pragma unroll
		for (int i = 0; i < size; i++) x[i] = at + i < C ? widen(row[at + i]) : 0.0f;
	}
}

// store writes the values to the row from column at on, as far as the row goes.
template <bool wide, int size, typename T>
static __device__ inline void store(T *row, int at, int C, const float (&x)[size]) {
	if constexpr (wide) {
		using Pack = pack<T>;
		if (at >= C) return;
#pragma unroll
		for (int i = 0; i < size; i += Pack::size) {
			Pack p;
#pragma unroll
			for (int j = 0; j < Pack::size; j++) narrow(&p.at[j], x[i + j]);
			*(Pack *)(row + at + i) = p;
		}
	} else {
#pragma unroll
		for (int i = 0; i < size; i++)
			if (at + i < C) narrow(&row[at + i], x[i]);
	}
}
