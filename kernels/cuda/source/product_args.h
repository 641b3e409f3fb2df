// What the kernels of products are given. Plain C: the launcher fills it in.
#ifndef ATOLL_PRODUCT_ARGS_H
#define ATOLL_PRODUCT_ARGS_H

#include <stdint.h>

// c = a·b with an epilogue, as ../product.h says; strides are in elements.
typedef struct {
	const void *a, *b;
	int64_t a_stride, b_stride;
	int a_wide, b_wide; // rows begin at multiples of 16 bytes, and an access of 16 bytes does not pass their end
	int M, N, K;
	int slice; // how much of K a block sums up; blocks with y in the grid have slice y

	// float [slices, M, partial_stride]: what each slice sums up, without the epilogue; NULL where there is but one slice.
	// partial_stride is N rounded up to a multiple of 8, and what is behind N can be read.
	float *partials;
	int64_t partial_stride;
	int slices;

	void *c, *pre;
	const float *bias, *step;
	const void *derivative_of, *add;
	int64_t c_stride;
	int gelu, mode;
	int c_float; // c is float, whatever a and b are
	int c_wide;  // they and bias can be accessed by 16 bytes, and N is a multiple of as many elements
} product_args;

#endif
