// Kernels for language.cpp: each gives back what the words of the language give it. They run with one warp or two.
#include "../../source/tensor.cuh"

extern "C" __global__ void shuffled(float *out, const float *in, int64_t, unsigned *) {
	int t = (int)threadIdx.x;
	float x = in[t];
	out[t] = __shfl_sync(0xffffffff, x, 5);
	out[64 + t] = __shfl_sync(0xffffffff, x, t + 3, 8);
	out[128 + t] = __shfl_up_sync(0xffffffff, x, 3);
	out[192 + t] = __shfl_down_sync(0xffffffff, x, 3, 16);
	out[256 + t] = __shfl_xor_sync(0xffffffff, x, 9);
	out[320 + t] = (float)__shfl_xor_sync(0xffffffff, (double)x, 1);
}
KERNEL(shuffled)

extern "C" __global__ void voted(float *out, const float *in, int64_t, unsigned *) {
	int t = (int)threadIdx.x, odd = in[t] > 0;
	out[t] = (float)__ballot_sync(0xffffffff, t < 5);
	out[64 + t] = (float)(__any_sync(0xffffffff, t == 40) + 2 * __all_sync(0xffffffff, t > 31) + 4 * __any_sync(0xffffffff, odd && t > 64));
}
KERNEL(voted)

// in is a [16,16] and b [16,8] of half precision; out their product [16,8], d being 1 before. The fragments come by load_matrix_x4.
template <typename Half> static __device__ inline void product(float *out, const float *in) {
	SHARED(Half, a);
	Half *b = a + 256;
	int l = (int)threadIdx.x, g = l / 4, t = l % 4;
	for (int i = l; i < 384; i += 32) a[i] = (Half)in[i];
	__syncthreads();
	float d[4] = {1, 1, 1, 1};
	uint32_t fa[4], fb[4];
	load_matrix_x4(fa, a + (l % 16) * 16 + l / 16 * 8);
	load_matrix_x4_transposed(fb, b + (l % 16) * 8);
	mma_16x8x16<Half>(d, fa, fb);
	for (int i = 0; i < 4; i++) out[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = d[i];
}

extern "C" __global__ void product_f16(float *out, const float *in, int64_t, unsigned *) { product<__half>(out, in); }
KERNEL(product_f16)

extern "C" __global__ void product_bf16(float *out, const float *in, int64_t, unsigned *) { product<__nv_bfloat16>(out, in); }
KERNEL(product_bf16)

extern "C" __global__ void product_tf32(float *out, const float *in, int64_t, unsigned *) {
	int l = (int)threadIdx.x, g = l / 4, t = l % 4;
	const float *a = in, *b = in + 256; // [16,8] and [8,8]
	uint32_t fa[4] = {tf32(a[g * 8 + t]), tf32(a[(g + 8) * 8 + t]), tf32(a[g * 8 + t + 4]), tf32(a[(g + 8) * 8 + t + 4])};
	uint32_t fb[2] = {tf32(b[t * 8 + g]), tf32(b[(t + 4) * 8 + g])};
	float d[4] = {1, 1, 1, 1};
	mma_16x8x8_tf32(d, fa, fb);
	for (int i = 0; i < 4; i++) out[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = d[i];
}
KERNEL(product_tf32)

// Two copies of 16 bytes a thread, the second with the last 6 bytes left out.
extern "C" __global__ void copied_in_part(float *out, const float *in, int64_t, unsigned *) {
	SHARED(float, s);
	int t = (int)threadIdx.x;
	for (int i = 0; i < 8; i++) s[8 * t + i] = 9;
	copy_async(s + 8 * t, in, 16);
	copy_async_commit();
	copy_async(s + 8 * t + 4, in + 4, 10);
	copy_async_commit();
	copy_async_wait<1>();
	float first = s[8 * t];
	copy_async_wait<0>();
	out[8 * t] = first;
	for (int i = 1; i < 8; i++) out[8 * t + i] = s[8 * t + i];
}
KERNEL(copied_in_part)

// Every half as a float, and every float of in as halves.
extern "C" __global__ void converted(float *out, const float *in, int64_t n, unsigned *) {
	int t = (int)(blockIdx.x * blockDim.x + threadIdx.x);
	if (t < 65536) {
		out[t] = __half2float(__ushort_as_half((unsigned short)t));
		out[65536 + t] = __bfloat162float(__ushort_as_bfloat16((unsigned short)t));
	}
	if (t < n) {
		out[131072 + t] = __half2float(__float2half_rn(in[t]));
		out[131072 + n + t] = __bfloat162float(__float2bfloat16_rn(in[t]));
		out[131072 + 2 * n + t] = __uint_as_float(tf32(in[t]));
	}
}
KERNEL(converted)

extern "C" __global__ void integers(float *out, const float *, int64_t, unsigned *) {
	out[0] = (float)__umulhi(0x80000000u, 6u);
	out[1] = (float)(__mul64hi(-(1ll << 62), 8) + (long long)__umul64hi(1ull << 63, 4));
	out[2] = (float)(__clz(1) + __popc(255) + __ffs(8));
	out[3] = (float)__byte_perm(0x33221100, 0x77665544, 0x7061);
	out[4] = (float)__funnelshift_l(0x80000000u, 1u, 1);
	out[5] = (float)(min(3, 5) + max(2.5f, 1.f) + min(7u, 8u));
	out[6] = __saturatef(3.f) + rsqrtf(0.25f);
}
KERNEL(integers)

extern "C" __global__ void indexes(float *out, const float *, int64_t, unsigned *) {
	unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
	unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
	unsigned i = block * blockDim.x * blockDim.y * blockDim.z + thread;
	out[i] = (float)(i + 1);
}
KERNEL(indexes)
