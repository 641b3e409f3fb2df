// Cases of the language: what kernels of language.cu give, against plain loops.
#include <math.h>
#include <string.h>

#include "cases.h"

// run has a kernel work on in and gives n floats of what it wrote.
static std::vector<float> run(const char *kernel, const std::vector<float> &in, size_t n, unsigned threads, unsigned blocks = 1, int64_t count = 0) {
	void *module, *f;
	address out = allocate(4 * n), from = allocate(4 * in.size() + 4), word = 0;
	check(cuMemcpyHtoDAsync_v2(from, in.data(), 4 * in.size(), a) == 0);
	check(cuModuleLoadData(&module, "") == 0 && cuModuleGetFunction(&f, module, kernel) == 0);
	void *params[] = {&out, &from, &count, &word};
	check(cuLaunchKernel(f, blocks, 1, 1, threads, 1, 1, 4096, a, params, nullptr) == 0);
	return read(out, n, a);
}

static std::vector<float> numbers(size_t n, float first = 0, float step = 1) {
	std::vector<float> x(n);
	for (size_t i = 0; i < n; i++) x[i] = first + step * (float)i;
	return x;
}

static int shuffles() {
	std::vector<float> x = run("shuffled", numbers(64), 384, 64);
	for (int t = 0; t < 64; t++) {
		int warp = t / 32 * 32, lane = t % 32;
		check(x[t] == warp + 5);
		check(x[64 + t] == t / 8 * 8 + (t + 3) % 8);
		check(x[128 + t] == (lane < 3 ? t : t - 3));
		check(x[192 + t] == (t % 16 + 3 < 16 ? t + 3 : t));
		check(x[256 + t] == (t ^ 9));
		check(x[320 + t] == (t ^ 1));
	}
	return 0;
}

static int votes() {
	std::vector<float> x = run("voted", numbers(64), 128, 64);
	for (int t = 0; t < 64; t++) {
		check(x[t] == (t < 32 ? 31 : 0));
		check(x[64 + t] == (t < 32 ? 0 : 3));
	}
	return 0;
}

// The values are small integers and halves of them: exact in every type, and so are the sums.
static void check_product(const char *kernel, int K, int b_at) {
	std::vector<float> in(384);
	for (int i = 0; i < 384; i++) in[i] = (float)((i * 7 + i / 11) % 17 - 8) / 2;
	std::vector<float> d = run(kernel, in, 128, 32);
	for (int i = 0; i < 16; i++)
		for (int j = 0; j < 8; j++) {
			float want = 1;
			for (int k = 0; k < K; k++) want += in[i * K + k] * in[b_at + k * 8 + j];
			check(d[i * 8 + j] == want);
		}
}

static int products() {
	check_product("product_f16", 16, 256);
	check_product("product_bf16", 16, 256);
	check_product("product_tf32", 8, 256);
	return 0;
}

static int copies() {
	std::vector<float> in = numbers(8, 1), x = run("copied_in_part", in, 256, 32);
	memset((char *)&in[4] + 10, 0, 6);
	for (int t = 0; t < 32; t++)
		for (int i = 0; i < 8; i++) check(x[8 * t + i] == in[i]);
	return 0;
}

// nearest rounds to a multiple of 2^(exponent - bits), ties to even or, for TF32, away from zero.
static float nearest(float x, int bits, int least_exponent, float largest, bool away) {
	if (x == 0 || isnan(x) || isinf(x)) return x;
	int exponent;
	frexpf(x, &exponent);
	double unit = ldexp(1, (exponent - 1 < least_exponent ? least_exponent : exponent - 1) - bits);
	double rounded = away ? copysign(floor(fabs(x) / unit + 0.5), x) * unit : nearbyint(x / unit) * unit;
	return fabs(rounded) > largest ? copysignf(INFINITY, x) : (float)rounded;
}

static bool same(float x, float y) { return memcmp(&x, &y, 4) == 0 || (isnan(x) && isnan(y)); }

static int conversions() {
	std::vector<float> in;
	for (uint64_t bits = 0; bits < 1ull << 32; bits += 104729) {
		uint32_t pattern = (uint32_t)bits;
		for (uint32_t each : {pattern, pattern & 0xfffff000, (pattern & 0xffffe000) | 0x1000, (pattern & 0xffff0000) | 0x8000}) {
			float x;
			memcpy(&x, &each, 4);
			in.push_back(x);
		}
	}
	size_t n = in.size();
	std::vector<float> out = run("converted", in, 131072 + 3 * n, 256, (unsigned)(n + 65536) / 256 + 1, (int64_t)n);
	for (uint32_t i = 0; i < 65536; i++) {
		uint32_t wide = i << 16, exponent = i >> 10 & 31, fraction = i & 1023;
		float bf16, f16 = exponent == 31 ? (fraction ? NAN : INFINITY) : ldexpf((float)(exponent ? fraction + 1024 : fraction), (exponent ? (int)exponent : 1) - 25);
		memcpy(&bf16, &wide, 4);
		check(same(out[65536 + i], bf16) && same(out[i], i >> 15 ? -f16 : f16));
	}
	for (size_t i = 0; i < n; i++) {
		check(same(out[131072 + i], nearest(in[i], 10, -14, 65504, false)));
		check(same(out[131072 + n + i], nearest(in[i], 7, -126, 3.3895313892515355e38f, false)));
		check(same(out[131072 + 2 * n + i], nearest(in[i], 10, -126, 3.4011621342146535e38f, true)));
	}
	return 0;
}

static int arithmetic() {
	std::vector<float> x = run("integers", {}, 7, 1);
	const float want[] = {3, 0, 31 + 8 + 4, (float)0x77006611, 3, 3 + 2.5f + 7, 3};
	for (int i = 0; i < 7; i++) check(x[i] == want[i]);
	return 0;
}

static int three_dimensions() {
	void *module, *f;
	address out = allocate(4 * 24 * 24), none = 0;
	int64_t n = 0;
	void *params[] = {&out, &none, &n, &none};
	check(cuModuleLoadData(&module, "") == 0 && cuModuleGetFunction(&f, module, "indexes") == 0);
	check(cuLaunchKernel(f, 2, 3, 4, 4, 3, 2, 0, a, params, nullptr) == 0);
	std::vector<float> x = read(out, 24 * 24, a);
	for (int i = 0; i < 24 * 24; i++) check(x[i] == (float)(i + 1));
	return 0;
}

const std::vector<test> language_cases = {
	{"shuffles", shuffles, 0, ""},
	{"votes", votes, 0, ""},
	{"products", products, 0, ""},
	{"copies", copies, 0, ""},
	{"conversions", conversions, 0, ""},
	{"arithmetic", arithmetic, 0, ""},
	{"three_dimensions", three_dimensions, 0, ""},
};
