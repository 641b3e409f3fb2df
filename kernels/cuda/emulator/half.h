// __half and __nv_bfloat16 as cuda_fp16.h and cuda_bf16.h have them: 16 bits of storage, conversions to nearest even, and what
// kernels do with single values and pairs. Arithmetic goes through float, which rounds the sum or product of two right.
#pragma once

#include <stdint.h>

#include "arithmetic.h"
#ifdef __F16C__
#include <immintrin.h>
#endif

// x as IEEE half precision. NaNs become 0x7fff, as on the device.
static inline uint16_t emulated_to_half(float x) {
	uint32_t bits = __float_as_uint(x), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
	if (magnitude > 0x7f800000) return 0x7fff;
#ifdef __F16C__
	return (uint16_t)_cvtss_sh(x, _MM_FROUND_TO_NEAREST_INT);
#endif
	if (magnitude >= 0x47800000) return (uint16_t)(sign | 0x7c00);
	if (magnitude >= 0x38800000) { // rounding may carry into the exponent, which is right
		uint32_t rounded = magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1);
		return (uint16_t)(sign | rounded >> 13);
	}
	return (uint16_t)(sign | (uint32_t)rintf(__uint_as_float(magnitude) * 0x1p24f)); // subnormal: a multiple of 2^-24
}

static inline float emulated_from_half(uint16_t h) {
#ifdef __F16C__
	return _cvtsh_ss(h);
#else
	uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 0x3ff;
	float x = exponent == 31 ? __uint_as_float(0x7f800000 | fraction << 13)
	        : exponent       ? __uint_as_float((exponent + 112) << 23 | fraction << 13)
	                         : (float)fraction * 0x1p-24f;
	return __uint_as_float(__float_as_uint(x) | sign);
#endif
}

static inline uint16_t emulated_to_bfloat16(float x) {
	uint32_t bits = __float_as_uint(x);
	return (bits & 0x7fffffff) > 0x7f800000 ? 0x7fff : (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static inline float emulated_from_bfloat16(uint16_t b) { return __uint_as_float((uint32_t)b << 16); }

#define EMULATED_HALF(Half, Half2, to, from)                                                                  \
	struct Half {                                                                                               \
		uint16_t bits;                                                                                            \
		Half() = default;                                                                                         \
		Half(float x) : bits(to(x)) {}                                                                            \
		Half(double x) : bits(to((float)x)) {}                                                                    \
		Half(int x) : bits(to((float)x)) {}                                                                       \
		operator float() const { return from(bits); }                                                             \
		Half &operator+=(Half b) { return *this = Half((float)*this + (float)b); }                                \
		Half &operator-=(Half b) { return *this = Half((float)*this - (float)b); }                                \
		Half &operator*=(Half b) { return *this = Half((float)*this * (float)b); }                                \
		Half &operator/=(Half b) { return *this = Half((float)*this / (float)b); }                                \
	};                                                                                                          \
	struct alignas(4) Half2 {                                                                                   \
		Half x, y;                                                                                                \
		Half2() = default;                                                                                        \
		Half2(Half x, Half y) : x(x), y(y) {}                                                                     \
	};                                                                                                          \
	static inline Half operator+(Half a, Half b) { return a += b; }                                             \
	static inline Half operator-(Half a, Half b) { return a -= b; }                                             \
	static inline Half operator*(Half a, Half b) { return a *= b; }                                             \
	static inline Half operator/(Half a, Half b) { return a /= b; }                                             \
	static inline Half __hadd(Half a, Half b) { return a + b; }                                                 \
	static inline Half __hsub(Half a, Half b) { return a - b; }                                                 \
	static inline Half __hmul(Half a, Half b) { return a * b; }                                                 \
	static inline Half __hfma(Half a, Half b, Half c) {                                                         \
		return (double)(float)a * (double)(float)b + (double)(float)c;                                            \
	}                                                                                                           \
	static inline Half __hmax(Half a, Half b) { return fmaxf(a, b); }                                           \
	static inline Half __hmin(Half a, Half b) { return fminf(a, b); }                                           \
	static inline Half2 __hadd2(Half2 a, Half2 b) { return {a.x + b.x, a.y + b.y}; }                            \
	static inline Half2 __hmul2(Half2 a, Half2 b) { return {a.x * b.x, a.y * b.y}; }                            \
	static inline Half2 __hfma2(Half2 a, Half2 b, Half2 c) { return {__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y)}; } \
	static inline float __low2float(Half2 v) { return v.x; }                                                    \
	static inline float __high2float(Half2 v) { return v.y; }                                                   \
	static inline bool __hisnan(Half x) { return isnan((float)x); }                                             \
	static inline int __hisinf(Half x) { return isinf((float)x) ? ((float)x < 0 ? -1 : 1) : 0; }

EMULATED_HALF(__half, __half2, emulated_to_half, emulated_from_half)
EMULATED_HALF(__nv_bfloat16, __nv_bfloat162, emulated_to_bfloat16, emulated_from_bfloat16)
#undef EMULATED_HALF

typedef __half half;
typedef __half2 half2;
typedef __nv_bfloat16 nv_bfloat16;
typedef __nv_bfloat162 nv_bfloat162;

static inline float __half2float(__half x) { return x; }
static inline __half __float2half(float x) { return x; }
static inline __half __float2half_rn(float x) { return x; }
static inline __half2 __floats2half2_rn(float x, float y) { return {x, y}; }
static inline __half2 __float22half2_rn(float2 v) { return {v.x, v.y}; }
static inline __half2 __float2half2_rn(float x) { return {x, x}; }
static inline float2 __half22float2(__half2 v) { return {v.x, v.y}; }
static inline __half2 __halves2half2(__half x, __half y) { return {x, y}; }
static inline __half2 __half2half2(__half x) { return {x, x}; }
static inline __half __low2half(__half2 v) { return v.x; }
static inline __half __high2half(__half2 v) { return v.y; }
static inline unsigned short __half_as_ushort(__half x) { return x.bits; }
static inline short __half_as_short(__half x) { return (short)x.bits; }
static inline __half __ushort_as_half(unsigned short x) { return emulated_bits<__half>(x); }
static inline __half __short_as_half(short x) { return emulated_bits<__half>(x); }

static inline float __bfloat162float(__nv_bfloat16 x) { return x; }
static inline __nv_bfloat16 __float2bfloat16(float x) { return x; }
static inline __nv_bfloat16 __float2bfloat16_rn(float x) { return x; }
static inline __nv_bfloat162 __floats2bfloat162_rn(float x, float y) { return {x, y}; }
static inline __nv_bfloat162 __float22bfloat162_rn(float2 v) { return {v.x, v.y}; }
static inline __nv_bfloat162 __float2bfloat162_rn(float x) { return {x, x}; }
static inline float2 __bfloat1622float2(__nv_bfloat162 v) { return {v.x, v.y}; }
static inline __nv_bfloat162 __halves2bfloat162(__nv_bfloat16 x, __nv_bfloat16 y) { return {x, y}; }
static inline __nv_bfloat162 __bfloat162bfloat162(__nv_bfloat16 x) { return {x, x}; }
static inline __nv_bfloat16 __low2bfloat16(__nv_bfloat162 v) { return v.x; }
static inline __nv_bfloat16 __high2bfloat16(__nv_bfloat162 v) { return v.y; }
static inline unsigned short __bfloat16_as_ushort(__nv_bfloat16 x) { return x.bits; }
static inline short __bfloat16_as_short(__nv_bfloat16 x) { return (short)x.bits; }
static inline __nv_bfloat16 __ushort_as_bfloat16(unsigned short x) { return emulated_bits<__nv_bfloat16>(x); }
static inline __nv_bfloat16 __short_as_bfloat16(short x) { return emulated_bits<__nv_bfloat16>(x); }
