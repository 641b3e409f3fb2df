// Activations in float32, bf16 or fp16: single values, and 16 bytes of them at once. Arithmetic is in float32.
#pragma once

#include "device.cuh"

static __device__ inline float widen(float x) { return x; }
static __device__ inline float widen(__nv_bfloat16 x) { return __bfloat162float(x); }
static __device__ inline float widen(__half x) { return __half2float(x); }

static __device__ inline void narrow(float *out, float x) { *out = x; }
static __device__ inline void narrow(__nv_bfloat16 *out, float x) { *out = __float2bfloat16_rn(x); }
static __device__ inline void narrow(__half *out, float x) { *out = __float2half_rn(x); }

// As many values as 16 bytes hold. Memory that is read or written as a pack lies at a multiple of 16.
template <typename Act> struct alignas(16) pack {
	static constexpr int size = 16 / sizeof(Act);
	Act at[size];
};
