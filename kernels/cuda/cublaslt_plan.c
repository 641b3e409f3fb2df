//go:build gpu

#include "cublaslt_plan.h"

#include <string.h>

static cudaDataType data_type(uint32_t type) { return type == DT_BF16 ? CUDA_R_16BF : type == DT_F16 ? CUDA_R_16F : CUDA_R_32F; }

static cublasStatus_t set(const cublaslt *lt, cublasLtMatmulDesc_t operation, cublasLtMatmulDescAttributes_t what, const void *value,
	size_t bytes) {
	return lt->calls.cublasLtMatmulDescSetAttribute(operation, what, value, bytes);
}

// A matrix in rows is its transpose in columns, so cublasLt computes cᵀ = bᵀ·aᵀ: its A is b and its B is a, and each is transposed
// for it where it is for us.
static cublasStatus_t describe_operation(const cublaslt *lt, const cublaslt_key *key, CUdeviceptr bias, CUdeviceptr aux,
	cublasLtMatmulDesc_t operation) {
	int32_t of_a = key->b_transposed ? CUBLAS_OP_T : CUBLAS_OP_N, of_b = key->a_transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
	int32_t mode = (int32_t)key->pointer_mode;
	cublasStatus_t s = set(lt, operation, CUBLASLT_MATMUL_DESC_TRANSA, &of_a, sizeof of_a);
	if (!s) s = set(lt, operation, CUBLASLT_MATMUL_DESC_TRANSB, &of_b, sizeof of_b);
	if (!s) s = set(lt, operation, CUBLASLT_MATMUL_DESC_POINTER_MODE, &mode, sizeof mode);
	if (!s) s = set(lt, operation, CUBLASLT_MATMUL_DESC_EPILOGUE, &key->epilogue, sizeof key->epilogue);
	if (!s && bias) s = set(lt, operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias);
	if (!s && aux) s = set(lt, operation, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, &aux, sizeof aux);
	if (!s && aux) s = set(lt, operation, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, &key->ldc, sizeof key->ldc);
	return s;
}

cublasStatus_t cublaslt_describe(const cublaslt *lt, const cublaslt_key *key, CUdeviceptr bias, CUdeviceptr aux, cublaslt_descriptors *d) {
	const cublaslt_library *l = &lt->calls;
	cudaDataType operands = data_type(key->operands);
	memset(d, 0, sizeof *d);
	cublasStatus_t s = l->cublasLtMatmulDescCreate(&d->operation, key->tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F, CUDA_R_32F);
	if (!s) s = describe_operation(lt, key, bias, aux, d->operation);
	uint64_t rows = (uint64_t)(key->b_transposed ? key->K : key->N), columns = (uint64_t)(key->b_transposed ? key->N : key->K);
	if (!s) s = l->cublasLtMatrixLayoutCreate(&d->a, operands, rows, columns, key->ldb);
	rows = (uint64_t)(key->a_transposed ? key->M : key->K), columns = (uint64_t)(key->a_transposed ? key->K : key->M);
	if (!s) s = l->cublasLtMatrixLayoutCreate(&d->b, operands, rows, columns, key->lda);
	if (!s) s = l->cublasLtMatrixLayoutCreate(&d->c, data_type(key->result), (uint64_t)key->N, (uint64_t)key->M, key->ldc);
	return s;
}

void cublaslt_forget(const cublaslt *lt, cublaslt_descriptors *d) {
	if (d->operation) lt->calls.cublasLtMatmulDescDestroy(d->operation);
	if (d->a) lt->calls.cublasLtMatrixLayoutDestroy(d->a);
	if (d->b) lt->calls.cublasLtMatrixLayoutDestroy(d->b);
	if (d->c) lt->calls.cublasLtMatrixLayoutDestroy(d->c);
	memset(d, 0, sizeof *d);
}

// prefer says how much workspace there is, that parts of a sum are float32 too, and how the matrices of cublasLt lie: algorithms that
// need more, or would round parts to halves, are left out.
static cublasStatus_t prefer(const cublaslt *lt, const cublaslt_key *key, cublasLtMatmulPreference_t preference) {
	uint64_t workspace = CUBLASLT_WORKSPACE;
	uint32_t schemes = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
	const uint32_t alignments[] = {key->alignment_b, key->alignment_a, key->alignment_c, key->alignment_d};
	cublasStatus_t s = lt->calls.cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace,
		sizeof workspace);
	if (!s)
		s = lt->calls.cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &schemes, sizeof schemes);
	for (int i = 0; i < 4 && !s; i++)
		s = lt->calls.cublasLtMatmulPreferenceSetAttribute(preference,
			(cublasLtMatmulPreferenceAttributes_t)(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES + i), &alignments[i], sizeof alignments[i]);
	return s;
}

static int usable(const cublasLtMatmulHeuristicResult_t *r) { return !r->state && r->workspaceSize <= CUBLASLT_WORKSPACE; }

enum { SHORT = 4096 };

// measured_faster tells of an algorithm that it was the faster one on an H200, for products like this, wherever it was on the list but
// not at its top (bench/results/gpu-2026-11-26-nvidia-h200-products.md): gelu' by clusters of two blocks, and without anything to add the
// custom options 1, for halves, and 2, for float32, where the sums are short, so that much of the time goes into storing them. A rule
// and no measurement at the start, since sums by another algorithm are others: the same program is to give the same bits.
static int measured_faster(const cublaslt *lt, const cublaslt_key *key, const cublasLtMatmulAlgo_t *algo) {
	uint32_t custom = 0;
	uint16_t cluster = 0;
	size_t written;
	if (lt->capability != 90 || key->operands == DT_F32 || key->a_transposed || key->adds || key->K > SHORT) return 0;
	if (lt->calls.cublasLtMatmulAlgoConfigGetAttribute(algo, CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION, &custom, sizeof custom, &written) ||
		lt->calls.cublasLtMatmulAlgoConfigGetAttribute(algo, CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID, &cluster, sizeof cluster, &written))
		return 0;
	if (key->epilogue == CUBLASLT_EPILOGUE_DGELU) return cluster == CUBLASLT_CLUSTER_SHAPE_2x1x1 || cluster == CUBLASLT_CLUSTER_SHAPE_1x2x1;
	return custom == (key->result == DT_F32 ? 2 : 1);
}

// choose asks the heuristics for their best algorithms, and takes the first that was measured to be faster, or the first.
static void choose(const cublaslt *lt, cublaslt_plan *plan, const cublaslt_descriptors *d) {
	cublasLtMatmulPreference_t preference = NULL;
	cublasLtMatmulHeuristicResult_t results[CUBLASLT_ALGORITHMS];
	int count = 0, best = 0;
	cublasStatus_t s = lt->calls.cublasLtMatmulPreferenceCreate(&preference);
	if (!s) s = prefer(lt, &plan->key, preference);
	if (!s) s = lt->calls.cublasLtMatmulAlgoGetHeuristic(lt->handle, d->operation, d->a, d->b, d->c, d->c, preference,
		CUBLASLT_ALGORITHMS, results, &count);
	if (preference) lt->calls.cublasLtMatmulPreferenceDestroy(preference);
	plan->refused = s || count < 1 || !usable(&results[0]);
	if (plan->refused) return;
	for (int i = 1; i < count && !best; i++)
		if (usable(&results[i]) && measured_faster(lt, &plan->key, &results[i].algo)) best = i;
	plan->algo = results[best].algo;
}

// place is where a key stands in the table, or the free place where it belongs.
static cublaslt_plan *place(cublaslt *lt, const cublaslt_key *key) {
	const unsigned char *bytes = (const unsigned char *)key;
	uint32_t hash = 2166136261u; // FNV-1a
	for (size_t i = 0; i < sizeof *key; i++) hash = (hash ^ bytes[i]) * 16777619u;
	uint32_t at = hash % CUBLASLT_PLANS;
	while (lt->plans[at].key.M && memcmp(&lt->plans[at].key, key, sizeof *key)) at = (at + 1) % CUBLASLT_PLANS;
	return &lt->plans[at];
}

cublaslt_plan *cublaslt_find(cublaslt *lt, const cublaslt_key *key, const cublaslt_descriptors *d) {
	cublaslt_plan *plan = place(lt, key);
	if (plan->key.M) return plan;
	if (lt->plan_count >= CUBLASLT_PLANS / 2) { // full enough: it begins anew
		memset(lt->plans, 0, sizeof lt->plans);
		lt->plan_count = 0;
		plan = place(lt, key);
	}
	plan->key = *key;
	lt->plan_count++;
	choose(lt, plan, d);
	return plan;
}
