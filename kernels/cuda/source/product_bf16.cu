#include "product_half.cuh"

PRODUCTS_OF_HALVES(bf16, __nv_bfloat16)
