#include "clock.h"
#include "run.h"

#include <stdio.h>

extern const atoll_variant atoll_portable;

#ifdef __x86_64__
#include <cpuid.h>

extern const atoll_variant atoll_avx2;
extern const atoll_variant atoll_avx512, atoll_avx512bf16, atoll_amx;

// The builtins read CPUID and the operating system's register mask; F16C is in every CPU with AVX2 but has its own bit.
static int has_avx2(void) {
	unsigned a, b, c, d;
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __get_cpuid(1, &a, &b, &c, &d) &&
	       (c & bit_F16C);
}

static int has_avx512(void) {
	return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}

static int has_avx512bf16(void) {
	unsigned a, b, c, d;
	return has_avx512() && __builtin_cpu_supports("avx512vnni") && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 5);
}

// The bits are those of AMX-BF16, AMX-TILE and AMX-INT8. Linux gives tile registers to a process that asks for them.
static int has_amx(void) {
	const unsigned needed = 1u << 22 | 1u << 24 | 1u << 25;
	unsigned a, b, c, d;
	return has_avx512bf16() && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & needed) == needed && atoll_allow_tiles();
}
#endif

static int has_portable(void) { return 1; }

const char *atoll_compiler(void) {
#if defined(__clang__)
	return "clang " __clang_version__;
#else
	return "gcc " __VERSION__;
#endif
}

const atoll_variant *atoll_variant_at(int i, int *supported) {
	static const struct {
		const atoll_variant *variant;
		int (*supported)(void);
	} variants[] = {
#ifdef __x86_64__
		{&atoll_amx, has_amx},
		{&atoll_avx512bf16, has_avx512bf16},
		{&atoll_avx512, has_avx512},
		{&atoll_avx2, has_avx2},
#endif
		{&atoll_portable, has_portable},
	};
	if (i < 0 || i >= (int)(sizeof variants / sizeof *variants)) return NULL;
	*supported = variants[i].supported();
	return variants[i].variant;
}

static int run_call(team *t, const atoll_variant *v, const atoll_bound *b, char *error) {
	atoll_kernel_fn *kernel = v->kernels[b->call.kernel];
	if (!kernel) {
		snprintf(error, ATOLL_ERROR_BYTES, "the %s variant has no such kernel", v->name);
		return 1;
	}
	return kernel(t, &b->call, b->arg, error);
}

int64_t atoll_run(team *t, const atoll_variant *v, const atoll_bound *calls, int64_t n, char *error) {
	int64_t i = 0;
	team_wake(t);
	while (i < n && !run_call(t, v, &calls[i], error)) i++;
	team_rest(t);
	return i < n ? i : -1;
}

int64_t atoll_run_timed(team *t, const atoll_variant *v, const atoll_bound *calls, int64_t n, char *error, double *took) {
	int64_t i = 0;
	team_wake(t);
	for (double start = seconds(); i < n && !run_call(t, v, &calls[i], error); i++) {
		double end = seconds();
		took[i] = end - start;
		start = end;
	}
	team_rest(t);
	return i < n ? i : -1;
}
