// Walking over rows of any length with vectors.
#ifndef ATOLL_LANES_H
#define ATOLL_LANES_H

#include "team.h"
#include "vector.h"

// What the body of a team_for gets when a call and its arguments say all.
typedef struct {
	const atoll_call *c;
	void *const *arg;
} bound_call;

// ELEMENTS of an element-wise kernel are handed to a worker at once.
enum { ELEMENTS = 16384 };

inl int64_t pieces(int64_t n, int64_t size) { return (n + size - 1) / size; }
inl int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
inl int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

// rows_at_once is how many rows of C values make about ELEMENTS.
inl int64_t rows_at_once(int64_t C) { return larger(1, ELEMENTS / larger(C, 1)); }

// viota is the number of each lane.
inl vi viota(void) {
	static const int32_t number[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	vi v;
	memcpy(&v, number, sizeof v);
	return v;
}

// The vector at i of a row that ends at end; lanes beyond the end are zeros, and are not stored.
inl vf vload_to(const float *p, int64_t i, int64_t end) { return i + VL <= end ? vload(p + i) : vload_n(p + i, end - i); }
inl void vstore_to(float *p, int64_t i, vf v, int64_t end) {
	if (i + VL <= end) vstore(p + i, v);
	else vstore_n(p + i, v, end - i);
}
inl vf vload_act_to(const void *p, int64_t i, int64_t end, uint32_t dtype) {
	return i + VL <= end ? vload_act(p, i, dtype) : vload_act_n(p, i, end - i, dtype);
}
inl void vstore_act_to(void *p, int64_t i, vf v, int64_t end, uint32_t dtype) {
	if (i + VL <= end) vstore_act(p, i, v, dtype);
	else vstore_act_n(p, i, v, end - i, dtype);
}

// BY_DTYPE calls an inlined function with the element type as a constant last argument.
#define BY_DTYPE(dtype, function, ...) \
	do { \
		if ((dtype) == DT_F32) function(__VA_ARGS__, DT_F32); \
		else if ((dtype) == DT_BF16) function(__VA_ARGS__, DT_BF16); \
		else function(__VA_ARGS__, DT_F16); \
	} while (0)

#endif
