//go:build gpu

#include "product.h"

CUresult gpu_product(gpu *g, const product *p) { return own_product(g, p); }

size_t gpu_product_workspace(const gpu *g, const product *p) { return own_product_workspace(g, p); }
