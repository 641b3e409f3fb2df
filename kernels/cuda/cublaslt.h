// What atoll calls of NVIDIA's cublasLt. The library is loaded at run time and this is all of its header that is needed, so that
// building wants neither. Names and values are those of cublasLt.h and library_types.h; they were checked against the headers in
// the wheels nvidia-cublas 13.10.0.20 and nvidia-cublas-cu12 12.9.3.13, which agree in everything here.
#ifndef ATOLL_CUBLASLT_H
#define ATOLL_CUBLASLT_H

#include <stddef.h>
#include <stdint.h>

typedef enum {
	CUBLAS_STATUS_SUCCESS = 0,
	CUBLAS_STATUS_NOT_INITIALIZED = 1,
	CUBLAS_STATUS_ALLOC_FAILED = 3,
	CUBLAS_STATUS_INVALID_VALUE = 7,
	CUBLAS_STATUS_ARCH_MISMATCH = 8,
	CUBLAS_STATUS_EXECUTION_FAILED = 13,
	CUBLAS_STATUS_INTERNAL_ERROR = 14,
	CUBLAS_STATUS_NOT_SUPPORTED = 15,
} cublasStatus_t;

typedef enum { CUDA_R_32F = 0, CUDA_R_16F = 2, CUDA_R_16BF = 14 } cudaDataType;
typedef enum { CUBLAS_COMPUTE_32F = 68, CUBLAS_COMPUTE_32F_FAST_TF32 = 77 } cublasComputeType_t;
typedef enum { CUBLAS_OP_N = 0, CUBLAS_OP_T = 1 } cublasOperation_t;

// Where alpha and beta lie.
typedef enum { CUBLASLT_POINTER_MODE_HOST = 0, CUBLASLT_POINTER_MODE_DEVICE = 1 } cublasLtPointerMode_t;

typedef enum {
	CUBLASLT_MATMUL_DESC_POINTER_MODE = 2,          // int32_t
	CUBLASLT_MATMUL_DESC_TRANSA = 3,                // int32_t
	CUBLASLT_MATMUL_DESC_TRANSB = 4,                // int32_t
	CUBLASLT_MATMUL_DESC_EPILOGUE = 7,              // uint32_t
	CUBLASLT_MATMUL_DESC_BIAS_POINTER = 8,          // of the bias or of its gradient
	CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER = 11, // of what goes into the GELU
	CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD = 12,      // int64_t, a multiple of 8
} cublasLtMatmulDescAttributes_t;

// GELU is the tanh form. BGRADA and BGRADB sum op(A) or op(B) over the inner dimension.
typedef enum {
	CUBLASLT_EPILOGUE_DEFAULT = 1,
	CUBLASLT_EPILOGUE_BIAS = 4,
	CUBLASLT_EPILOGUE_GELU = 32,
	CUBLASLT_EPILOGUE_GELU_BIAS = 36,
	CUBLASLT_EPILOGUE_GELU_AUX = 160,
	CUBLASLT_EPILOGUE_GELU_AUX_BIAS = 164,
	CUBLASLT_EPILOGUE_DGELU = 192,
	CUBLASLT_EPILOGUE_BGRADA = 256,
	CUBLASLT_EPILOGUE_BGRADB = 512,
} cublasLtEpilogue_t;

// Where the parts of a sum over K are put together: in which type, if they are stored between.
typedef enum {
	CUBLASLT_REDUCTION_SCHEME_INPLACE = 1,      // of the result
	CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE = 2, // of the sums
	CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE = 4,  // of the result
} cublasLtReductionScheme_t;

typedef enum {
	CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES = 1,   // uint64_t
	CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK = 3, // uint32_t
	CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES = 5, // uint32_t, as the three after it
	CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES = 6,
	CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES = 7,
	CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES = 8,
} cublasLtMatmulPreferenceAttributes_t;

// Of an algorithm, as numbers whose meaning the library keeps to itself but for the cluster's shape.
typedef enum {
	CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION = 5,    // uint32_t
	CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID = 8, // uint16_t
} cublasLtMatmulAlgoConfigAttributes_t;

enum { CUBLASLT_CLUSTER_SHAPE_2x1x1 = 3, CUBLASLT_CLUSTER_SHAPE_1x2x1 = 5 };

typedef struct cublasLtContext *cublasLtHandle_t;
typedef struct cublasLtMatmulDescOpaque *cublasLtMatmulDesc_t;
typedef struct cublasLtMatrixLayoutOpaque *cublasLtMatrixLayout_t;
typedef struct cublasLtMatmulPreferenceOpaque *cublasLtMatmulPreference_t;

typedef struct {
	uint64_t data[8];
} cublasLtMatmulAlgo_t;

typedef struct {
	cublasLtMatmulAlgo_t algo;
	size_t workspaceSize;
	cublasStatus_t state; // the rest holds where this is success
	float wavesCount;
	int reserved[4];
} cublasLtMatmulHeuristicResult_t;

struct CUstream_st;

// Every call, as CALL(name, result, (arguments)). A stream is a CUstream. Matrices are in columns: a leading dimension is the
// distance from one column to the next, and cublasLtMatmul gives D = epilogue(alpha*op(A)*op(B) + beta*C).
#define CUBLASLT_CALLS(CALL)                                                                                  \
	CALL(cublasLtGetVersion, size_t, (void))                                                                    \
	CALL(cublasLtGetStatusName, const char *, (cublasStatus_t status))                                          \
	CALL(cublasLtCreate, cublasStatus_t, (cublasLtHandle_t * handle))                                           \
	CALL(cublasLtDestroy, cublasStatus_t, (cublasLtHandle_t handle))                                            \
	CALL(cublasLtMatmulDescCreate, cublasStatus_t,                                                              \
	     (cublasLtMatmulDesc_t * desc, cublasComputeType_t compute, cudaDataType scale))                         \
	CALL(cublasLtMatmulDescDestroy, cublasStatus_t, (cublasLtMatmulDesc_t desc))                                \
	CALL(cublasLtMatmulDescSetAttribute, cublasStatus_t,                                                        \
	     (cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t what, const void *value, size_t bytes))      \
	CALL(cublasLtMatrixLayoutCreate, cublasStatus_t,                                                            \
	     (cublasLtMatrixLayout_t * layout, cudaDataType type, uint64_t rows, uint64_t columns, int64_t ld))      \
	CALL(cublasLtMatrixLayoutDestroy, cublasStatus_t, (cublasLtMatrixLayout_t layout))                          \
	CALL(cublasLtMatmulPreferenceCreate, cublasStatus_t, (cublasLtMatmulPreference_t * preference))             \
	CALL(cublasLtMatmulPreferenceDestroy, cublasStatus_t, (cublasLtMatmulPreference_t preference))              \
	CALL(cublasLtMatmulPreferenceSetAttribute, cublasStatus_t,                                                  \
	     (cublasLtMatmulPreference_t preference, cublasLtMatmulPreferenceAttributes_t what, const void *value,   \
	      size_t bytes))                                                                                         \
	CALL(cublasLtMatmulAlgoGetHeuristic, cublasStatus_t,                                                        \
	     (cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t A, cublasLtMatrixLayout_t B, \
	      cublasLtMatrixLayout_t C, cublasLtMatrixLayout_t D, cublasLtMatmulPreference_t preference, int wanted,  \
	      cublasLtMatmulHeuristicResult_t *results, int *count))                                                 \
	CALL(cublasLtMatmulAlgoConfigGetAttribute, cublasStatus_t,                                                  \
	     (const cublasLtMatmulAlgo_t *algo, cublasLtMatmulAlgoConfigAttributes_t what, void *value, size_t bytes, \
	      size_t *written))                                                                                      \
	CALL(cublasLtMatmul, cublasStatus_t,                                                                        \
	     (cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void *alpha, const void *a,                  \
	      cublasLtMatrixLayout_t A, const void *b, cublasLtMatrixLayout_t B, const void *beta, const void *c,    \
	      cublasLtMatrixLayout_t C, void *d, cublasLtMatrixLayout_t D, const cublasLtMatmulAlgo_t *algo,         \
	      void *workspace, size_t workspace_bytes, struct CUstream_st *stream))

#endif
