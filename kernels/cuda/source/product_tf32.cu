#include "product_tile.cuh"

// Products of floats that are rounded to TF32 on their way to tensor cores.
PRODUCT_KERNELS(TILE_128X128, product_128x128, tf32, true, float)
PRODUCT_GRADIENT_KERNEL(TILE_128X128, product_128x128, tf32, true, float)
PRODUCT_KERNELS(TILE_64X64, product_64x64, tf32, true, float)
PRODUCT_GRADIENT_KERNEL(TILE_64X64, product_64x64, tf32, true, float)
PRODUCT_KERNELS(TILE_16X32, product_16x32, tf32, true, float)
