//go:build amd64

// The kernels for AVX2, FMA and F16C.
#include <immintrin.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")
#endif

#define VARIANT atoll_avx2
#define VARIANT_NAME "avx2"
#define VL 8
#include "table.h"

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
