#include "product_half.cuh"

PRODUCTS_OF_HALVES(f16, __half)
