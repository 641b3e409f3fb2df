//go:build gpu

#include <limits.h>

#include "cut.h"
#include "product_plan.h"
#include "source/product_args.h"

enum { THREADS = 256 };

static void *pointer(CUdeviceptr p) { return (void *)(uintptr_t)p; }

// cast_a queues the rounding of a.
static CUresult cast_a(gpu *g, const product *p, const product_plan *plan) {
	int64_t rows = p->a_transposed ? p->K : p->M, columns = p->a_transposed ? p->M : p->K;
	return gpu_cast(g, p->workspace, p->a, rows, columns, plan->a_stride, p->a_stride ? p->a_stride : columns, p->precision);
}

static CUresult cast_b(gpu *g, const product *p, const product_plan *plan) {
	int64_t rows = p->b_transposed ? p->N : p->K, columns = p->b_transposed ? p->K : p->N;
	return gpu_cast(g, p->workspace + plan->b_at, p->b, rows, columns, plan->b_stride, p->b_stride ? p->b_stride : columns, p->precision);
}

// c_wide tells whether the epilogue can access everything 16 bytes at a time.
static int c_wide(const product *p, int64_t stride) {
	int64_t size = p->c_type == DT_F32 ? 4 : 2;
	CUdeviceptr all = p->c | p->pre | p->bias | p->derivative_of | p->add | (CUdeviceptr)(stride * size) | (CUdeviceptr)(p->N * size);
	return all % 16 == 0;
}

static product_args args_of(const product *p, const product_plan *plan) {
	product_args a = {.M = (int)p->M, .N = (int)p->N, .K = (int)p->K, .slice = plan->slice, .slices = plan->slices};
	a.a = pointer(plan->cast_a ? p->workspace : p->a), a.a_stride = plan->a_stride, a.a_wide = plan->wide_a;
	a.b = pointer(plan->cast_b ? p->workspace + plan->b_at : p->b), a.b_stride = plan->b_stride, a.b_wide = plan->wide_b;
	if (plan->slices > 1) a.partials = pointer(p->workspace + plan->partials_at);
	a.partial_stride = plan->partial_stride;
	a.c = pointer(p->c), a.c_stride = p->c_stride ? p->c_stride : p->N;
	a.pre = pointer(p->pre), a.bias = pointer(p->bias), a.derivative_of = pointer(p->derivative_of), a.add = pointer(p->add);
	a.gelu = p->gelu, a.step = pointer(p->step);
	a.c_float = p->c_type == DT_F32, a.mode = a.c_float ? p->mode : MODE_OVERWRITE;
	a.c_wide = c_wide(p, a.c_stride);
	return a;
}

// A type is good for a product where it is the precision, or float32, which is rounded.
static int good(const product *p, uint32_t type) { return type == DT_F32 || type == p->precision; }

// possible tells whether the kernels, which count with int, have an answer.
static int possible(const product *p) {
	const int64_t most = INT_MAX - 4096;
	return !(p->a_transposed && p->b_transposed) && p->M <= most && p->N <= most && p->K <= most && good(p, p->a_type) &&
		good(p, p->b_type) && good(p, p->c_type);
}

CUresult own_product(gpu *g, const product *p) {
	product_plan plan;
	char name[GPU_NAME_BYTES];
	if (p->M == 0 || p->N == 0) return CUDA_SUCCESS;
	if (!possible(p)) return CUDA_ERROR_INVALID_VALUE;
	plan_product(&plan, g, p);
	product_args args = args_of(p, &plan);
	void *params[] = {&args};
	int64_t tiles = pieces(p->M, plan.M) * pieces(p->N, plan.N);
	if (tiles > INT_MAX) return CUDA_ERROR_INVALID_VALUE;
	CUresult e = plan.cast_a ? cast_a(g, p, &plan) : CUDA_SUCCESS;
	if (!e && plan.cast_b) e = cast_b(g, p, &plan);
	if (!e) e = gpu_launch(g, plan.kernel, (gpu_grid){(unsigned)tiles, (unsigned)plan.slices, 1}, plan.threads, plan.shared, params);
	if (e || plan.slices == 1) return e;
	int64_t packs = p->M * pieces(p->N, p->c_type == DT_F32 ? 4 : 8);
	return gpu_launch(g, gpu_name(name, "product_reduce", p->c_type), spread(g, packs, THREADS), THREADS, 0, params);
}

size_t own_product_workspace(const gpu *g, const product *p) {
	product_plan plan;
	if (p->M == 0 || p->N == 0 || !possible(p)) return 0;
	plan_product(&plan, g, p);
	return plan.bytes;
}
