// cublasLt as it was found on this machine, and what a device keeps of it.
#ifndef ATOLL_CUBLASLT_LIBRARY_H
#define ATOLL_CUBLASLT_LIBRARY_H

#include "cublaslt.h"
#include "launch.h"

enum { CUBLASLT_TEXT_BYTES = 512, CUBLASLT_PLANS = 1024, CUBLASLT_WORKSPACE = 32 << 20, CUBLASLT_ALGORITHMS = 8 };

#define CUBLASLT_POINTER(name, result, arguments) result(*name) arguments;

typedef struct {
	void *library; // NULL: there is none
	char text[CUBLASLT_TEXT_BYTES]; // the name that it was found under, or why there is none
	CUBLASLT_CALLS(CUBLASLT_POINTER)
} cublaslt_library;

// What cublasLt's choice of an algorithm depends on, in rows as in product.h. There is no padding in it: it is compared as bytes.
typedef struct {
	int64_t M, N, K, lda, ldb, ldc;
	uint32_t operands, result; // enum atoll_dtype
	uint32_t a_transposed, b_transposed;
	uint32_t epilogue, pointer_mode; // cublasLtEpilogue_t, cublasLtPointerMode_t
	uint32_t alignment_a, alignment_b, alignment_c, alignment_d; // bytes, up to 256; c is what is added, d the result
	uint32_t tf32, adds; // operands in float32 are rounded to TF32; something is added to the product, the bias aside
} cublaslt_key;

// A key of zeroes is a free place: no product has M 0.
typedef struct {
	cublaslt_key key;
	cublasLtMatmulAlgo_t algo;
	int refused;
} cublaslt_plan;

typedef struct cublaslt {
	cublaslt_library calls;
	cublasLtHandle_t handle; // NULL: products are made without cublasLt
	CUdeviceptr one;         // 1.0f on the device
	int fuses_gelu, capability;
	int64_t products; // made by it so far
	int plan_count;
	cublaslt_plan plans[CUBLASLT_PLANS]; // a hash table with linear probing
} cublaslt;

// cublaslt_start finds the library and makes a handle for the context that is current; NULL without memory.
cublaslt *cublaslt_start(CUstream stream, int capability);
void cublaslt_stop(cublaslt *lt);

#endif
