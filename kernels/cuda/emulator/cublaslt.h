// The emulated cublasLt: what its handles stand for. The calls are in cublaslt.cpp, what is allowed in cublaslt_rules.cpp, the
// arithmetic in cublaslt_work.cpp.
#pragma once

#include "../cublaslt.h"

struct cublasLtMatmulDescOpaque {
	cublasComputeType_t compute;
	cudaDataType scale;
	int32_t pointer_mode, of_a, of_b;
	uint32_t epilogue;
	unsigned long long bias, aux;
	int64_t aux_ld;
};

struct cublasLtMatrixLayoutOpaque {
	cudaDataType type;
	int64_t rows, columns, ld;
};

// Alignments are in bytes: of A, B, C and D.
struct cublasLtMatmulPreferenceOpaque {
	uint64_t workspace;
	uint32_t alignment[4];
	uint32_t schemes; // that parts of sums may be put together by
};

namespace emulator {

// A product that was asked for, complete: it is what the heuristics look at, and what runs when its turn comes.
struct cublaslt_product {
	cublasLtMatmulDescOpaque desc;
	cublasLtMatrixLayoutOpaque a, b, c, d;
	const char *at_a, *at_b, *at_c;
	char *at_d, *workspace;
	size_t workspace_bytes;
	float alpha, beta;                    // on the host
	const char *device_alpha, *device_beta; // else
	int64_t part; // of K: sums of so many products are rounded to D's type before they are added up; 0: none are
	int64_t m() const { return d.rows; }
	int64_t n() const { return d.columns; }
	int64_t k() const { return desc.of_a == CUBLAS_OP_T ? a.rows : a.columns; }
};

// What the heuristics choose, within cublasLtMatmulAlgo_t.
struct cublaslt_algorithm {
	uint64_t magic;
	uint32_t alignment[4];
	uint32_t rounds_parts; // to D's type
	uint32_t custom;       // what its attributes say
	uint64_t workspace;
	uint64_t shape; // a hash of what it was chosen for
};
constexpr uint64_t CUBLASLT_MAGIC = 0x61746f6c6c6c7463;

size_t cublaslt_size(cudaDataType type);

// cublaslt_allows is whether there is an algorithm for the product: CUBLAS_STATUS_INVALID_VALUE where it contradicts itself,
// CUBLAS_STATUS_NOT_SUPPORTED where it does not, but nothing computes it.
cublasStatus_t cublaslt_allows(const cublaslt_product *p);

// cublaslt_queue queues the product on a stream. The result is a CUresult.
int cublaslt_queue(const cublaslt_product *p, void *stream);

}
