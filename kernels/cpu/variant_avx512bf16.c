//go:build amd64

// The kernels for AVX-512 with vdpbf16ps, on which products of bf16 operands run, and vpdpwssd, which every processor with the first has.
#include <immintrin.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,f16c,avx512bf16,avx512vnni"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,f16c,avx512bf16,avx512vnni")
#endif

#define VARIANT atoll_avx512bf16
#define VARIANT_NAME "avx512bf16"
#define VL 16
#define NATIVE_BF16 1
#define NATIVE_VNNI 1
#include "table.h"

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
