//go:build amd64

// The kernels for AVX-512 with AMX, whose tiles products of bf16 and of int8 run on.
#include <immintrin.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,f16c,avx512bf16,amx-tile,amx-bf16,amx-int8"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,f16c,avx512bf16,amx-tile,amx-bf16,amx-int8")
#endif

#define VARIANT atoll_amx
#define VARIANT_NAME "amx"
#define VL 16
#define NATIVE_BF16 1
#define NATIVE_AMX 1
#include "table.h"

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
