// A product as cublasLt takes it: descriptors in columns, and the algorithm that its heuristics choose.
#ifndef ATOLL_CUBLASLT_PLAN_H
#define ATOLL_CUBLASLT_PLAN_H

#include "cublaslt_library.h"

typedef struct {
	cublasLtMatmulDesc_t operation;
	cublasLtMatrixLayout_t a, b, c; // c is also the layout of D
} cublaslt_descriptors;

// cublaslt_describe makes descriptors, which cublaslt_forget releases, also those that an error left half made. bias is the bias
// or what receives sums, aux what goes into the GELU, which lies as c; 0 where the epilogue has none.
cublasStatus_t cublaslt_describe(const cublaslt *lt, const cublaslt_key *key, CUdeviceptr bias, CUdeviceptr aux, cublaslt_descriptors *d);
void cublaslt_forget(const cublaslt *lt, cublaslt_descriptors *d);

// cublaslt_find gives the plan of a key, asking the heuristics the first time. A refused plan stays refused. It is good until the
// next call.
cublaslt_plan *cublaslt_find(cublaslt *lt, const cublaslt_key *key, const cublaslt_descriptors *d);

#endif
