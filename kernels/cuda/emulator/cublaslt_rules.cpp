// What cublasLt supports, as NVIDIA's documentation and header have it, and stricter where they are silent. Matrices are in columns.
#include "cublaslt.h"

namespace emulator {

size_t cublaslt_size(cudaDataType type) { return type == CUDA_R_32F ? 4 : 2; }

static bool known(cudaDataType type) { return type == CUDA_R_32F || type == CUDA_R_16F || type == CUDA_R_16BF; }

static bool proper(const cublasLtMatrixLayoutOpaque *l) {
	return known(l->type) && l->rows > 0 && l->columns > 0 && l->ld >= l->rows;
}

static bool same(const cublasLtMatrixLayoutOpaque *x, const cublasLtMatrixLayoutOpaque *y) {
	return x->type == y->type && x->rows == y->rows && x->columns == y->columns && x->ld == y->ld;
}

static bool fits(const cublaslt_product *p) {
	bool a_turned = p->desc.of_a == CUBLAS_OP_T, b_turned = p->desc.of_b == CUBLAS_OP_T;
	int64_t a_rows = a_turned ? p->a.columns : p->a.rows, b_columns = b_turned ? p->b.rows : p->b.columns;
	int64_t b_rows = b_turned ? p->b.columns : p->b.rows;
	return a_rows == p->m() && b_columns == p->n() && b_rows == p->k() && same(&p->c, &p->d);
}

// Usually only sizes are supported that an int32_t can hold.
static bool small(const cublasLtMatrixLayoutOpaque *l) { return l->rows <= INT32_MAX && l->columns <= INT32_MAX && l->ld <= INT32_MAX; }

// The table of types for CUBLAS_COMPUTE_32F with a scale of CUDA_R_32F: A and B alike, C and D of their type or float32. The fast
// kind takes float32 only.
static bool types(const cublaslt_product *p) {
	if (p->desc.scale != CUDA_R_32F || p->a.type != p->b.type) return false;
	if (p->desc.compute == CUBLAS_COMPUTE_32F_FAST_TF32) return p->a.type == CUDA_R_32F && p->d.type == CUDA_R_32F;
	return p->desc.compute == CUBLAS_COMPUTE_32F && (p->d.type == CUDA_R_32F || p->d.type == p->a.type);
}

static bool has_bias(uint32_t e) {
	return e == CUBLASLT_EPILOGUE_BIAS || e == CUBLASLT_EPILOGUE_GELU_BIAS || e == CUBLASLT_EPILOGUE_GELU_AUX_BIAS;
}
static bool has_sums(uint32_t e) { return e == CUBLASLT_EPILOGUE_BGRADA || e == CUBLASLT_EPILOGUE_BGRADB; }
static bool has_aux(uint32_t e) {
	return e == CUBLASLT_EPILOGUE_GELU_AUX || e == CUBLASLT_EPILOGUE_GELU_AUX_BIAS || e == CUBLASLT_EPILOGUE_DGELU;
}

// A bias has the type of D, which is for the caller to know. Kernels read it, and write sums, 16 bytes at a time.
static cublasStatus_t epilogue(const cublaslt_product *p) {
	uint32_t e = p->desc.epilogue;
	if (e != CUBLASLT_EPILOGUE_DEFAULT && e != CUBLASLT_EPILOGUE_GELU && !has_bias(e) && !has_sums(e) && !has_aux(e))
		return CUBLAS_STATUS_NOT_SUPPORTED;
	if ((has_bias(e) || has_sums(e)) && !p->desc.bias) return CUBLAS_STATUS_INVALID_VALUE;
	if (has_aux(e) && (!p->desc.aux || p->desc.aux_ld % 8 || p->desc.aux_ld < p->m())) return CUBLAS_STATUS_INVALID_VALUE;
	if (((has_bias(e) || has_sums(e)) && p->desc.bias % 16) || (has_aux(e) && p->desc.aux % 16)) return CUBLAS_STATUS_NOT_SUPPORTED;
	// The documentation asks for scalars on the host where there is a bias, for speed; nothing is said of the others.
	if (p->desc.pointer_mode == CUBLASLT_POINTER_MODE_DEVICE && e != CUBLASLT_EPILOGUE_DEFAULT) return CUBLAS_STATUS_NOT_SUPPORTED;
	return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublaslt_allows(const cublaslt_product *p) {
	if (!proper(&p->a) || !proper(&p->b) || !proper(&p->c) || !proper(&p->d) || !fits(p)) return CUBLAS_STATUS_INVALID_VALUE;
	if (!small(&p->a) || !small(&p->b) || !small(&p->d) || !types(p)) return CUBLAS_STATUS_NOT_SUPPORTED;
	return epilogue(p);
}

}
