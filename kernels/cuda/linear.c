//go:build gpu

#include "launchers.h"
#include "product.h"

// y = gelu?(x·w + b) + res
static product linear_product(const gpu *g, const atoll_call *c, const CUdeviceptr *arg) {
	enum { Y, PRE, X, W, B, RES };
	enum { N, I, O, TRANSPOSED, GELU };
	return (product){.M = c->dims[N], .N = c->dims[O], .K = c->dims[I], .a = arg[X], .b = arg[W], .c = arg[Y],
		.b_transposed = c->dims[TRANSPOSED] != 0, .a_type = c->precision, .b_type = DT_F32, .c_type = c->precision,
		.precision = c->precision, .bias = arg[B], .pre = arg[PRE], .gelu = c->dims[GELU] != 0, .add = arg[RES],
		.rows_alone = 1, .workspace = gpu_scratch(g)};
}

CUresult launch_linear(gpu *g, const atoll_call *c, const CUdeviceptr *arg) {
	product p = linear_product(g, c, arg);
	return gpu_product(g, &p);
}

size_t linear_workspace(const gpu *g, const atoll_call *c) {
	const CUdeviceptr none[ATOLL_MAX_ARGS] = {0};
	product p = linear_product(g, c, none);
	return gpu_product_workspace(g, &p);
}
