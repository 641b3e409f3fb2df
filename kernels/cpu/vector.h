// Vectors of VL floats, spelled the same for every instruction set. A variant file defines VL (16: AVX-512, 8: AVX2,
// 4: portable) before it includes this, and every function here is static, so that each variant has its own copy.
//
// Nothing here is contracted or reassociated by the compiler (-std=c11): a sum written as vfma is one rounding where the
// instruction set has it, and a multiply and an add where it has not. The bits of a result depend on the variant only.
// Tails: vload_n fills with zeros, vstore_n writes the first n lanes; the lanes between are computed as in a full vector,
// so an element gives the same bits wherever it stands in its row.
#ifndef ATOLL_VECTOR_H
#define ATOLL_VECTOR_H

#include <stdint.h>
#include <string.h>

#include "program.h"

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#define inl static inline __attribute__((always_inline, unused))

typedef float vf __attribute__((vector_size(4 * VL)));
typedef int32_t vi __attribute__((vector_size(4 * VL)));
typedef uint32_t vu __attribute__((vector_size(4 * VL)));
typedef uint16_t vh __attribute__((vector_size(2 * VL))); // bits of bf16 or fp16
typedef double vd __attribute__((vector_size(4 * VL)));

// Unaligned loads and stores of whole vectors.
inl vf vload(const float *p) { vf v; memcpy(&v, p, sizeof v); return v; }
inl void vstore(float *p, vf v) { memcpy(p, &v, sizeof v); }
inl vh vload_h(const uint16_t *p) { vh v; memcpy(&v, p, sizeof v); return v; }
inl void vstore_h(uint16_t *p, vh v) { memcpy(p, &v, sizeof v); }

inl vf vset(float x) { return x - (vf){0}; } // x - 0 is x, -0 and NaN included: a plain broadcast
inl vu vset_u(uint32_t x) { return (vu){0} + x; }
inl vf vset_word(const float *p) { uint32_t word; memcpy(&word, p, sizeof word); return (vf)vset_u(word); } // any bits
inl vf vzero(void) { return (vf){0}; }

// vsel is a where the mask (the result of a comparison) is set, else b.
inl vf vsel(vi mask, vf a, vf b) { return (vf)((mask & (vi)a) | (~mask & (vi)b)); }
inl vu vsel_u(vi mask, vu a, vu b) { return ((vu)mask & a) | (~(vu)mask & b); }
// vsel_sign is a where x has its sign set, else b.
#if VL == 8
inl vf vsel_sign(vf x, vf a, vf b) { return (vf)_mm256_blendv_ps((__m256)b, (__m256)a, (__m256)x); }
#else
inl vf vsel_sign(vf x, vf a, vf b) { return vsel((vi)x < 0, a, b); }
#endif
inl vf vabs(vf a) { return (vf)((vu)a & vset_u(0x7fffffff)); }

// vmax and vmin: of two lanes, the larger or the smaller; b where either is a NaN, so put the running value first and the new
// one second.
#if VL == 16
inl vf vfma(vf a, vf b, vf c) { return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
inl vf vsqrt(vf a) { return (vf)_mm512_sqrt_ps((__m512)a); }
inl vf vmax(vf a, vf b) { return (vf)_mm512_max_ps((__m512)a, (__m512)b); }
inl vf vmin(vf a, vf b) { return (vf)_mm512_min_ps((__m512)a, (__m512)b); }
inl __mmask16 vlanes(int64_t n) { return (__mmask16)((1u << n) - 1); }
inl vf vload_n(const float *p, int64_t n) { return (vf)_mm512_maskz_loadu_ps(vlanes(n), p); }
inl void vstore_n(float *p, vf v, int64_t n) { _mm512_mask_storeu_ps(p, vlanes(n), (__m512)v); }
inl vh vnarrow(vu v) { return (vh)_mm512_cvtepi32_epi16((__m512i)v); }
inl vu vwiden(vh v) { return (vu)_mm512_cvtepu16_epi32((__m256i)v); }
inl vf vfrom_f16(vh v) { return (vf)_mm512_cvtph_ps((__m256i)v); }
inl vh vto_f16(vf v) { return (vh)_mm512_cvtps_ph((__m512)v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
#elif VL == 8
inl vf vfma(vf a, vf b, vf c) { return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
inl vf vsqrt(vf a) { return (vf)_mm256_sqrt_ps((__m256)a); }
inl vf vmax(vf a, vf b) { return (vf)_mm256_max_ps((__m256)a, (__m256)b); }
inl vf vmin(vf a, vf b) { return (vf)_mm256_min_ps((__m256)a, (__m256)b); }
inl __m256i vlanes(int64_t n) {
	return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inl vf vload_n(const float *p, int64_t n) { return (vf)_mm256_maskload_ps(p, vlanes(n)); }
inl void vstore_n(float *p, vf v, int64_t n) { _mm256_maskstore_ps(p, vlanes(n), (__m256)v); }
inl vh vnarrow(vu v) {
	__m256i packed = _mm256_packus_epi32((__m256i)v, (__m256i)v);
	return (vh)_mm256_castsi256_si128(_mm256_permute4x64_epi64(packed, 8));
}
inl vu vwiden(vh v) { return (vu)_mm256_cvtepu16_epi32((__m128i)v); }
inl vf vfrom_f16(vh v) { return (vf)_mm256_cvtph_ps((__m128i)v); }
inl vh vto_f16(vf v) { return (vh)_mm256_cvtps_ph((__m256)v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
#else
#if defined __ARM_NEON && defined __aarch64__
inl vf vfma(vf a, vf b, vf c) { return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b); }
#else
inl vf vfma(vf a, vf b, vf c) { return a * b + c; }
#endif
inl vf vmax(vf a, vf b) { return vsel(a > b, a, b); }
inl vf vmin(vf a, vf b) { return vsel(a < b, a, b); }
inl vf vsqrt(vf a) {
	for (int i = 0; i < VL; i++) a[i] = __builtin_sqrtf(a[i]);
	return a;
}
inl vf vload_n(const float *p, int64_t n) {
	vf v = {0};
	for (int64_t i = 0; i < n && i < VL; i++) v[i] = p[i];
	return v;
}
inl void vstore_n(float *p, vf v, int64_t n) {
	for (int64_t i = 0; i < n && i < VL; i++) p[i] = v[i];
}
inl vh vnarrow(vu v) { return __builtin_convertvector(v, vh); }
inl vu vwiden(vh v) { return __builtin_convertvector(v, vu); }
// Half to single: the bits are moved to single's place and the exponent is put right by an exact multiplication, which
// serves the subnormals too; infinities and NaNs get the largest exponent.
inl vf vfrom_f16(vh h) {
	vu bits = vwiden(h), magnitude = (bits & vset_u(0x7fff)) << 13;
	vf value = (vf)magnitude * vset(0x1p112f);
	vu special = magnitude | vset_u(0x7f800000);
	vu finite = vsel_u(magnitude >= vset_u(0x0f800000), special, (vu)value);
	return (vf)(finite | (bits & vset_u(0x8000)) << 16);
}
// As kernels.ToF16: the three cases are all computed and one is chosen.
inl vh vto_f16(vf v) {
	vu bits = (vu)v, sign = bits >> 16 & vset_u(0x8000), magnitude = bits & vset_u(0x7fffffff);
	vu normal = (magnitude - vset_u(0x38000000) + vset_u(0xfff) + (magnitude >> 13 & vset_u(1))) >> 13;
	vu subnormal = (vu)((vf)magnitude + vset(0.5f)) - vset_u(0x3f000000);
	vu r = vsel_u(magnitude >= vset_u(0x38800000), normal, subnormal);
	r = vsel_u(magnitude >= vset_u(0x477ff000), vset_u(0x7c00), r);
	r = vsel_u(magnitude > vset_u(0x7f800000), vset_u(0x7e00), r);
	return vnarrow(r | sign);
}
#endif

inl vh vload_h_n(const uint16_t *p, int64_t n) {
	vh v = {0};
	for (int64_t i = 0; i < n && i < VL; i++) v[i] = p[i];
	return v;
}
inl void vstore_h_n(uint16_t *p, vh v, int64_t n) {
	for (int64_t i = 0; i < n && i < VL; i++) p[i] = v[i];
}

// bf16, as kernels.ToBF16 and FromBF16.
inl vf vfrom_bf16(vh v) { return (vf)(vwiden(v) << 16); }
inl vu vround_bf16(vf v) { // the upper 16 bits of each lane hold the rounded value
	vu bits = (vu)v;
	vu rounded = bits + vset_u(0x7fff) + (bits >> 16 & vset_u(1));
	return vsel_u((bits & vset_u(0x7fffffff)) > vset_u(0x7f800000), bits | vset_u(0x400000), rounded) & vset_u(0xffff0000);
}
#ifdef NATIVE_BF16
// The instruction makes zeros of numbers below the normal ones, which are rare: a branch that is never taken is cheaper than rounding by hand.
inl vh vto_bf16(vf v) {
	const __mmask16 small = _mm512_fpclass_ps_mask((__m512)v, 0x20);
	if (__builtin_expect(small != 0, 0)) return vnarrow(vround_bf16(v) >> 16);
	return (vh)_mm512_cvtneps_pbh((__m512)v);
}
#else
inl vh vto_bf16(vf v) { return vnarrow(vround_bf16(v) >> 16); }
#endif

// Activations: element i of p, which holds fp32, bf16 or fp16. dtype is best a constant where the call is compiled.
inl vf vload_act(const void *p, int64_t i, uint32_t dtype) {
	if (dtype == DT_F32) return vload((const float *)p + i);
	vh h = vload_h((const uint16_t *)p + i);
	return dtype == DT_BF16 ? vfrom_bf16(h) : vfrom_f16(h);
}
inl vf vload_act_n(const void *p, int64_t i, int64_t n, uint32_t dtype) {
	if (dtype == DT_F32) return vload_n((const float *)p + i, n);
	vh h = vload_h_n((const uint16_t *)p + i, n);
	return dtype == DT_BF16 ? vfrom_bf16(h) : vfrom_f16(h);
}
inl void vstore_act(void *p, int64_t i, vf v, uint32_t dtype) {
	if (dtype == DT_F32) vstore((float *)p + i, v);
	else vstore_h((uint16_t *)p + i, dtype == DT_BF16 ? vto_bf16(v) : vto_f16(v));
}
inl void vstore_act_n(void *p, int64_t i, vf v, int64_t n, uint32_t dtype) {
	if (dtype == DT_F32) vstore_n((float *)p + i, v, n);
	else vstore_h_n((uint16_t *)p + i, dtype == DT_BF16 ? vto_bf16(v) : vto_f16(v), n);
}

// One value, through the same conversions.
inl float load_act(const void *p, int64_t i, uint32_t dtype) {
	if (dtype == DT_F32) return ((const float *)p)[i];
	vh h = {((const uint16_t *)p)[i]};
	return (dtype == DT_BF16 ? vfrom_bf16(h) : vfrom_f16(h))[0];
}
inl void store_act(void *p, int64_t i, float x, uint32_t dtype) {
	if (dtype == DT_F32) ((float *)p)[i] = x;
	else ((uint16_t *)p)[i] = (dtype == DT_BF16 ? vto_bf16(vset(x)) : vto_f16(vset(x)))[0];
}

// vround is v as it comes back after being stored in dtype.
inl vf vround(vf v, uint32_t dtype) {
	if (dtype == DT_F32) return v;
	return dtype == DT_BF16 ? vfrom_bf16(vto_bf16(v)) : vfrom_f16(vto_f16(v));
}

// Over the lanes, always in the order of halving, so that the bits are fixed.
inl float vsum(vf v) {
	float lane[VL];
	vstore(lane, v);
	for (int half = VL / 2; half; half /= 2)
		for (int i = 0; i < half; i++) lane[i] += lane[i + half];
	return lane[0];
}
inl float vmax_lanes(vf v) {
	float m = v[0];
	for (int i = 1; i < VL; i++) m = m > v[i] ? m : v[i];
	return m;
}

// Functions of SIDE_BY_SIDE vectors or fewer go through all of them a step at a time: each step waits for the one before it, and a
// processor looks too few instructions ahead to begin with the next vector by itself.
enum { SIDE_BY_SIDE = 4 };
#define EACH(n) _Pragma("GCC unroll 4") for (int i = 0; i < (n); i++)

#define LOG2_E 1.44269504088896341f
#define TO_WHOLE 12582912.0f // added to a number, leaves it rounded to a whole one in the low bits

// vexp2_each replaces n vectors by their 2^x, for x from -126 to 126 only; anything for NaN. The whole part goes to the exponent, the
// rest, at most 1/2, through a polynomial that is off by 0.9e-7 (minimax in the relative error).
inl void vexp2_each(vf *x, const int n) {
	vf power[SIDE_BY_SIDE], p[SIDE_BY_SIDE];
	EACH(n) power[i] = x[i] + vset(TO_WHOLE);
	EACH(n) x[i] -= power[i] - vset(TO_WHOLE);
	EACH(n) p[i] = vfma(vset(1.32647273e-3f), x[i], vset(9.67151299e-3f));
	EACH(n) p[i] = vfma(p[i], x[i], vset(5.55073358e-2f));
	EACH(n) p[i] = vfma(p[i], x[i], vset(2.40222424e-1f));
	EACH(n) p[i] = vfma(p[i], x[i], vset(6.93147004e-1f));
	EACH(n) p[i] = vfma(p[i], x[i], vset(1));
	EACH(n) x[i] = (vf)((vu)p[i] + ((vu)power[i] << 23));
}

// vexp_each replaces n vectors by their e^x: exactly 0 below -87, e^88 above 88, NaN for NaN. Between, the error is 1.01 ulp at most (of
// every third fp32 number, with FMA). The polynomial is Cephes', for |x| <= ln(2)/2.
inl void vexp_each(vf *x, const int n) {
	vf power[SIDE_BY_SIDE], whole[SIDE_BY_SIDE], p[SIDE_BY_SIDE];
	vi gone[SIDE_BY_SIDE];
	EACH(n) gone[i] = x[i] < vset(-87);
	EACH(n) x[i] = vmin(vset(88), vmax(vset(-87), x[i]));
	EACH(n) power[i] = vfma(x[i], vset(LOG2_E), vset(TO_WHOLE));
	EACH(n) whole[i] = power[i] - vset(TO_WHOLE);
	EACH(n) x[i] = vfma(whole[i], vset(-0.693359375f), x[i]);
	EACH(n) x[i] = vfma(whole[i], vset(2.12194440e-4f), x[i]);
	EACH(n) p[i] = vfma(vset(1.9875691500e-4f), x[i], vset(1.3981999507e-3f));
	EACH(n) p[i] = vfma(p[i], x[i], vset(8.3334519073e-3f));
	EACH(n) p[i] = vfma(p[i], x[i], vset(4.1665795894e-2f));
	EACH(n) p[i] = vfma(p[i], x[i], vset(1.6666665459e-1f));
	EACH(n) p[i] = vfma(p[i], x[i], vset(5.0000001201e-1f));
	EACH(n) p[i] = vfma(p[i], x[i] * x[i], x[i]) + vset(1);
	// The power of two is a normal number, and so is the result. Of a NaN it may be anything, and the product is a NaN all the same.
	EACH(n) p[i] *= (vf)(((vu)power[i] << 23) + vset_u(0x3f800000));
	EACH(n) x[i] = (vf)((vi)p[i] & ~gone[i]);
}

inl vf vexp(vf x) {
	vexp_each(&x, 1);
	return x;
}

// vexp_rows replaces n vectors, stride floats apart, by their e^(scale*x - most), and adds them to sum one after the other.
inl vf vexp_rows(float *at, int64_t stride, vf scale, vf most, vf sum, const int n) {
	vf x[SIDE_BY_SIDE];
	EACH(n) x[i] = vfma(scale, vload(at + i * stride), -most);
	vexp_each(x, n);
	EACH(n) vstore(at + i * stride, x[i]);
	EACH(n) sum += x[i];
	return sum;
}

// vload_d is VL/2 floats as doubles, and vsum_d the sum of the lanes in their order.
inl vd vload_d(const float *p) {
	typedef float half __attribute__((vector_size(2 * VL)));
	half floats;
	memcpy(&floats, p, sizeof floats);
	return __builtin_convertvector(floats, vd);
}
inl double vsum_d(vd v) {
	double sum = 0;
	for (int lane = 0; lane < VL / 2; lane++) sum += v[lane];
	return sum;
}

// vlog is the natural logarithm of a positive normal x to about 1 ulp (Cephes); infinity and NaN pass.
inl vf vlog(vf x) {
	vu bits = (vu)x;
	vi e = (vi)(bits >> 23) - 126;
	vf m = (vf)((bits & vset_u(0x007fffff)) | vset_u(0x3f000000)); // [0.5, 1)
	vi low = m < vset(0.707106781186547524f);
	e += low; // the mask is -1
	m = vsel(low, m + m, m) - vset(1.0f);
	vf n = __builtin_convertvector(e, vf), z = m * m;
	vf p = vset(7.0376836292e-2f);
	p = vfma(p, m, vset(-1.1514610310e-1f));
	p = vfma(p, m, vset(1.1676998740e-1f));
	p = vfma(p, m, vset(-1.2420140846e-1f));
	p = vfma(p, m, vset(1.4249322787e-1f));
	p = vfma(p, m, vset(-1.6668057665e-1f));
	p = vfma(p, m, vset(2.0000714765e-1f));
	p = vfma(p, m, vset(-2.4999993993e-1f));
	p = vfma(p, m, vset(3.3333331174e-1f));
	vf y = p * m * z;
	y = vfma(n, vset(-2.12194440e-4f), y);
	y = vfma(z, vset(-0.5f), y);
	vf r = vfma(n, vset(0.693359375f), m + y);
	return vsel(x < vset(__builtin_inff()), r, x);
}

#endif
