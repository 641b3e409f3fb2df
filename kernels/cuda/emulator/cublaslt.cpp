// The calls of the emulated cublasLt. DRIVER_FAIL=cublasLtMatmul:14 makes one answer with a code, as for the driver's.
#include <string.h>

#include "cublaslt.h"
#include "driver.h"
#include "inject.h"
#include "memory.h"

struct cublasLtContext {
	int unused;
};

#define DECLARE(name, result, arguments) extern "C" result name arguments;
CUBLASLT_CALLS(DECLARE)
#undef DECLARE

using namespace emulator;

#define FAIL(call)                                                                                            \
	if (int code = fails(#call)) return (cublasStatus_t)code

EXPORT size_t cublasLtGetVersion(void) { return 130000; }

EXPORT const char *cublasLtGetStatusName(cublasStatus_t status) {
	switch (status) {
	case CUBLAS_STATUS_SUCCESS: return "CUBLAS_STATUS_SUCCESS";
	case CUBLAS_STATUS_NOT_INITIALIZED: return "CUBLAS_STATUS_NOT_INITIALIZED";
	case CUBLAS_STATUS_ALLOC_FAILED: return "CUBLAS_STATUS_ALLOC_FAILED";
	case CUBLAS_STATUS_INVALID_VALUE: return "CUBLAS_STATUS_INVALID_VALUE";
	case CUBLAS_STATUS_ARCH_MISMATCH: return "CUBLAS_STATUS_ARCH_MISMATCH";
	case CUBLAS_STATUS_EXECUTION_FAILED: return "CUBLAS_STATUS_EXECUTION_FAILED";
	case CUBLAS_STATUS_INTERNAL_ERROR: return "CUBLAS_STATUS_INTERNAL_ERROR";
	case CUBLAS_STATUS_NOT_SUPPORTED: return "CUBLAS_STATUS_NOT_SUPPORTED";
	}
	return "CUBLAS_STATUS_UNKNOWN";
}

// A handle is made for the context that is current. Until it is destroyed it counts as an allocation.
EXPORT cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle) {
	std::lock_guard<std::recursive_mutex> guard(driver_lock);
	FAIL(cublasLtCreate);
	if (enter("cublasLtCreate", true)) return CUBLAS_STATUS_NOT_INITIALIZED;
	counts[UNFREED]++;
	return *handle = new cublasLtContext(), CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
	std::lock_guard<std::recursive_mutex> guard(driver_lock);
	if (!handle || enter("cublasLtDestroy", true)) return CUBLAS_STATUS_NOT_INITIALIZED;
	counts[UNFREED]--;
	return delete handle, CUBLAS_STATUS_SUCCESS;
}

// Descriptors that are not destroyed count as allocations too.
template <typename T> static cublasStatus_t make(T **out, T value) {
	std::lock_guard<std::recursive_mutex> guard(driver_lock);
	counts[UNFREED]++;
	return *out = new T(value), CUBLAS_STATUS_SUCCESS;
}

template <typename T> static cublasStatus_t destroy(T *x) {
	std::lock_guard<std::recursive_mutex> guard(driver_lock);
	counts[UNFREED] -= x != nullptr;
	return delete x, CUBLAS_STATUS_SUCCESS;
}

// put is an attribute's value, whose size must be right.
template <typename T> static cublasStatus_t put(T *into, const void *value, size_t bytes) {
	if (!value || bytes != sizeof *into) return CUBLAS_STATUS_INVALID_VALUE;
	return memcpy(into, value, bytes), CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *desc, cublasComputeType_t compute, cudaDataType scale) {
	return make(desc, cublasLtMatmulDescOpaque{compute, scale, CUBLASLT_POINTER_MODE_HOST, CUBLAS_OP_N, CUBLAS_OP_N,
		CUBLASLT_EPILOGUE_DEFAULT, 0, 0, 0});
}

EXPORT cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc) { return destroy(desc); }

EXPORT cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t d, cublasLtMatmulDescAttributes_t what, const void *value,
	size_t bytes) {
	switch (what) {
	case CUBLASLT_MATMUL_DESC_POINTER_MODE: return put(&d->pointer_mode, value, bytes);
	case CUBLASLT_MATMUL_DESC_TRANSA: return put(&d->of_a, value, bytes);
	case CUBLASLT_MATMUL_DESC_TRANSB: return put(&d->of_b, value, bytes);
	case CUBLASLT_MATMUL_DESC_EPILOGUE: return put(&d->epilogue, value, bytes);
	case CUBLASLT_MATMUL_DESC_BIAS_POINTER: return put(&d->bias, value, bytes);
	case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER: return put(&d->aux, value, bytes);
	case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD: return put(&d->aux_ld, value, bytes);
	}
	return CUBLAS_STATUS_INVALID_VALUE;
}

EXPORT cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *layout, cudaDataType type, uint64_t rows, uint64_t columns,
	int64_t ld) {
	return make(layout, cublasLtMatrixLayoutOpaque{type, (int64_t)rows, (int64_t)columns, ld});
}

EXPORT cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) { return destroy(layout); }

EXPORT cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *preference) {
	return make(preference, cublasLtMatmulPreferenceOpaque{0, {256, 256, 256, 256}, 7});
}

EXPORT cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) { return destroy(preference); }

EXPORT cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t p, cublasLtMatmulPreferenceAttributes_t what,
	const void *value, size_t bytes) {
	switch (what) {
	case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES: return put(&p->workspace, value, bytes);
	case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK: return put(&p->schemes, value, bytes);
	case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES: return put(&p->alignment[0], value, bytes);
	case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES: return put(&p->alignment[1], value, bytes);
	case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES: return put(&p->alignment[2], value, bytes);
	case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES: return put(&p->alignment[3], value, bytes);
	}
	return CUBLAS_STATUS_INVALID_VALUE;
}

static cublaslt_product described(cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t A, cublasLtMatrixLayout_t B, cublasLtMatrixLayout_t C,
	cublasLtMatrixLayout_t D) {
	cublaslt_product p = {};
	p.desc = *desc, p.a = *A, p.b = *B, p.c = *C, p.d = *D;
	return p;
}

// shape tells products apart that an algorithm is chosen for.
static uint64_t shape(const cublaslt_product *p) {
	uint64_t hash = 14695981039346656037u; // FNV-1a
	auto add = [&](int64_t x) { hash = (hash ^ (uint64_t)x) * 1099511628211u; };
	for (const cublasLtMatrixLayoutOpaque *l : {&p->a, &p->b, &p->c, &p->d}) add(l->type), add(l->rows), add(l->columns), add(l->ld);
	add(p->desc.compute), add(p->desc.pointer_mode), add(p->desc.of_a), add(p->desc.of_b), add(p->desc.epilogue), add(p->desc.aux_ld);
	return hash;
}

// The one algorithm wants the alignment that it may count on, up to 16 bytes, and workspace for partial sums where there is so much;
// these it keeps in D's type where that is allowed.
EXPORT cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t A,
	cublasLtMatrixLayout_t B, cublasLtMatrixLayout_t C, cublasLtMatrixLayout_t D, cublasLtMatmulPreference_t preference, int wanted,
	cublasLtMatmulHeuristicResult_t *results, int *count) {
	FAIL(cublasLtMatmulAlgoGetHeuristic);
	if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
	if (wanted < 1 || !results || !count) return CUBLAS_STATUS_INVALID_VALUE;
	*count = 0;
	cublaslt_product p = described(desc, A, B, C, D);
	if (cublasStatus_t s = cublaslt_allows(&p)) return s;
	uint32_t rounding = CUBLASLT_REDUCTION_SCHEME_INPLACE | CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE;
	cublaslt_algorithm algorithm = {CUBLASLT_MAGIC, {}, preference->schemes & rounding, 0, (uint64_t)(p.m() * p.n() * 4), shape(&p)};
	if (algorithm.workspace > preference->workspace) algorithm.workspace = 0;
	for (int i = 0; i < 4; i++) algorithm.alignment[i] = preference->alignment[i] < 16 ? preference->alignment[i] : 16;
	static_assert(sizeof algorithm <= sizeof results->algo);
	for (; *count < wanted && algorithm.custom < 3; (*count)++, algorithm.custom++) {
		cublasLtMatmulHeuristicResult_t *r = results + *count;
		*r = {};
		memcpy(&r->algo, &algorithm, sizeof algorithm);
		r->workspaceSize = algorithm.workspace, r->wavesCount = 1;
	}
	return CUBLAS_STATUS_SUCCESS;
}

// An algorithm's attributes: those with the custom options 0, 1 and 2 do the same.
EXPORT cublasStatus_t cublasLtMatmulAlgoConfigGetAttribute(const cublasLtMatmulAlgo_t *algo, cublasLtMatmulAlgoConfigAttributes_t what,
	void *value, size_t bytes, size_t *written) {
	FAIL(cublasLtMatmulAlgoConfigGetAttribute);
	bool custom = what == CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION;
	if (!custom && what != CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID) return CUBLAS_STATUS_NOT_SUPPORTED;
	if (!algo || !value || bytes != (custom ? sizeof(uint32_t) : sizeof(uint16_t))) return CUBLAS_STATUS_INVALID_VALUE;
	cublaslt_algorithm algorithm;
	memcpy(&algorithm, algo, sizeof algorithm);
	memcpy(value, &algorithm.custom, bytes); // its low bytes are the first
	if (written) *written = bytes;
	return CUBLAS_STATUS_SUCCESS;
}

static bool on_device(const void *p) { return allocation_of((const char *)p, sizeof(float)); }

// scalars takes alpha and beta from where the pointer mode says that they are.
static bool scalars(cublaslt_product *p, const void *alpha, const void *beta) {
	bool device = p->desc.pointer_mode == CUBLASLT_POINTER_MODE_DEVICE;
	if (!alpha || !beta || on_device(alpha) != device || on_device(beta) != device) return false;
	if (device) p->device_alpha = (const char *)alpha, p->device_beta = (const char *)beta;
	else p->alpha = *(const float *)alpha, p->beta = *(const float *)beta;
	return true;
}

EXPORT cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void *alpha, const void *a,
	cublasLtMatrixLayout_t A, const void *b, cublasLtMatrixLayout_t B, const void *beta, const void *c, cublasLtMatrixLayout_t C, void *d,
	cublasLtMatrixLayout_t D, const cublasLtMatmulAlgo_t *algo, void *workspace, size_t workspace_bytes, struct CUstream_st *stream) {
	std::lock_guard<std::recursive_mutex> guard(driver_lock);
	FAIL(cublasLtMatmul);
	if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
	cublaslt_product p = described(desc, A, B, C, D);
	cublaslt_algorithm algorithm;
	memcpy(&algorithm, algo, sizeof algorithm);
	if (cublasStatus_t s = cublaslt_allows(&p)) return s;
	if (algorithm.magic != CUBLASLT_MAGIC || algorithm.shape != shape(&p)) return CUBLAS_STATUS_INVALID_VALUE;
	const void *places[] = {a, b, c, d};
	for (int i = 0; i < 4; i++)
		if (!places[i] || (uintptr_t)places[i] % algorithm.alignment[i]) return CUBLAS_STATUS_INVALID_VALUE;
	if (workspace_bytes < algorithm.workspace || (uintptr_t)workspace % 16 || !scalars(&p, alpha, beta)) return CUBLAS_STATUS_INVALID_VALUE;
	p.at_a = (const char *)a, p.at_b = (const char *)b, p.at_c = (const char *)c, p.at_d = (char *)d;
	p.part = algorithm.rounds_parts ? (p.k() + 3) / 4 : 0;
	p.workspace = (char *)workspace, p.workspace_bytes = (size_t)algorithm.workspace;
	return cublaslt_queue(&p, stream) ? CUBLAS_STATUS_EXECUTION_FAILED : CUBLAS_STATUS_SUCCESS;
}
