// The kernels that multiply halves, for product_bf16.cu and product_f16.cu.
#pragma once

#include "product_tile.cuh"

// The guarded kernels read one element at a time: operands whose rows do not begin at multiples of 16 bytes. Products of few rows
// are no gradients of weights.
#define PRODUCTS_OF_HALVES(suffix, Half)                                                                      \
	PRODUCT_KERNELS(TILE_128X256, product_128x256, suffix, true, Half)                                         \
	PRODUCT_GRADIENT_KERNEL(TILE_128X256, product_128x256, suffix, true, Half)                                 \
	PRODUCT_KERNELS(TILE_128X128, product_128x128, suffix, true, Half)                                         \
	PRODUCT_GRADIENT_KERNEL(TILE_128X128, product_128x128, suffix, true, Half)                                 \
	PRODUCT_KERNELS(TILE_64X64, product_64x64, suffix, true, Half)                                             \
	PRODUCT_GRADIENT_KERNEL(TILE_64X64, product_64x64, suffix, true, Half)                                     \
	PRODUCT_KERNELS(TILE_16X32, product_16x32, suffix, true, Half)                                             \
	PRODUCT_KERNELS(TILE_GUARDED, product_guarded, suffix, false, Half)                                          \
	PRODUCT_GRADIENT_KERNEL(TILE_GUARDED, product_guarded, suffix, false, Half)
