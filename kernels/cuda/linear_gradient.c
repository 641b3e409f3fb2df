//go:build gpu

#include "column_sum.h"
#include "launchers.h"
#include "product.h"

// dx = dy·wᵀ * gelu'(pre) + dres
static product dx_product(const gpu *g, const atoll_call *c, const CUdeviceptr *arg) {
	enum { DX, DY, W, PRE, DRES };
	enum { N, I, O, TRANSPOSED };
	return (product){.M = c->dims[N], .N = c->dims[I], .K = c->dims[O], .a = arg[DY], .b = arg[W], .c = arg[DX],
		.b_transposed = c->dims[TRANSPOSED] == 0, .a_type = c->precision, .b_type = DT_F32, .c_type = c->precision,
		.precision = c->precision, .derivative_of = arg[PRE], .add = arg[DRES], .workspace = gpu_scratch(g)};
}

CUresult launch_linear_dx(gpu *g, const atoll_call *c, const CUdeviceptr *arg) {
	product p = dx_product(g, c, arg);
	return gpu_product(g, &p);
}

size_t linear_dx_workspace(const gpu *g, const atoll_call *c) {
	const CUdeviceptr none[ATOLL_MAX_ARGS] = {0};
	product p = dx_product(g, c, none);
	return gpu_product_workspace(g, &p);
}

// The arguments and dims of linear.dw.
enum { DW, DB, X, DY, STEP };
enum { N, I, O, TRANSPOSED, MODE };

// dw = xᵀ·dy, or dyᵀ·x where w is [O,I]
static product dw_product(const gpu *g, const atoll_call *c, const CUdeviceptr *arg) {
	int transposed = c->dims[TRANSPOSED] != 0;
	return (product){.M = c->dims[transposed ? O : I], .N = c->dims[transposed ? I : O], .K = c->dims[N],
		.a = arg[transposed ? DY : X], .b = arg[transposed ? X : DY], .c = arg[DW], .a_transposed = 1, .a_type = c->precision,
		.b_type = c->precision, .c_type = DT_F32, .precision = c->precision, .mode = (int)c->dims[MODE], .step = arg[STEP],
		.fixed_rows = 1, .workspace = gpu_scratch(g)};
}

// db = the column sums of dy
static column_sum db_sum(const gpu *g, const atoll_call *c, const CUdeviceptr *arg) {
	return (column_sum){.N = c->dims[N], .O = c->dims[O], .x = arg[DY], .out = arg[DB], .type = c->precision,
		.mode = (int)c->dims[MODE], .step = arg[STEP], .workspace = gpu_scratch(g)};
}

// together makes db beside dw, which cublasLt can where they are written and not added to.
static CUresult together(gpu *g, const atoll_call *c, const CUdeviceptr *arg) {
	product p = dw_product(g, c, arg);
	if (!arg[DW] || !arg[DB] || p.mode != MODE_OVERWRITE) return CUDA_ERROR_NOT_SUPPORTED;
	if (c->dims[TRANSPOSED]) p.a_sums = arg[DB];
	else p.b_sums = arg[DB];
	return gpu_product(g, &p);
}

// The sums run behind the product, and use the same workspace.
CUresult launch_linear_dw(gpu *g, const atoll_call *c, const CUdeviceptr *arg) {
	product p = dw_product(g, c, arg);
	column_sum s = db_sum(g, c, arg);
	CUresult both = together(g, c, arg);
	if (both != CUDA_ERROR_NOT_SUPPORTED) return both;
	CUresult e = arg[DW] ? gpu_product(g, &p) : CUDA_SUCCESS;
	return e || !arg[DB] ? e : gpu_column_sum(g, &s);
}

size_t linear_dw_workspace(const gpu *g, const atoll_call *c) {
	const CUdeviceptr none[ATOLL_MAX_ARGS] = {0};
	product p = dw_product(g, c, none);
	column_sum s = db_sum(g, c, none);
	size_t product = gpu_product_workspace(g, &p), sum = gpu_column_sum_workspace(g, &s);
	return product > sum ? product : sum;
}
