//go:build gpu

#include "product.h"

CUresult gpu_product(gpu *g, const product *p) {
	CUresult e = cublaslt_product(g, p);
	if (e != CUDA_ERROR_NOT_SUPPORTED || p->a_sums || p->b_sums) return e;
	return own_product(g, p);
}

size_t gpu_product_workspace(const gpu *g, const product *p) {
	size_t own = own_product_workspace(g, p), cublaslt = cublaslt_product_workspace(g, p);
	return own > cublaslt ? own : cublaslt;
}
