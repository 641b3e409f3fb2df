// How a product is computed by our own kernels: which tile, how K is cut, what lies where in the workspace.
#ifndef ATOLL_PRODUCT_PLAN_H
#define ATOLL_PRODUCT_PLAN_H

#include "product.h"

typedef struct {
	char kernel[GPU_NAME_BYTES];
	int M, N; // of the tile
	unsigned threads, shared;
	int slices, slice;              // of K: how many, and how long one is
	int cast_a, cast_b;             // operands that are rounded to halves in the workspace first
	int wide_a, wide_b;             // operands that can be read 16 bytes at a time
	int64_t a_stride, b_stride;     // as the kernel reads them
	size_t b_at, partials_at, bytes; // places in the workspace, and its size; a rounded a is at its beginning
	int64_t partial_stride;
} product_plan;

// plan_product decides all of it. The size of the workspace does not depend on addresses.
void plan_product(product_plan *plan, const gpu *g, const product *p);

#endif
