// Matrix products on the device, for the launchers of linear, its gradients and the language head.
#ifndef ATOLL_PRODUCT_H
#define ATOLL_PRODUCT_H

#include "launch.h"

// c = epilogue(a·b), with sums in float32. All matrices lie in rows. The epilogue is, in this order: + bias, store to pre, GELU
// (of what is stored, rounded to c_type), * gelu'(derivative_of), + add, and then c is written or added to as mode says. What is 0
// is left out.
typedef struct {
	int64_t M, N, K;
	CUdeviceptr a, b, c;             // [M,K] or [K,M] where a_transposed; [K,N] or [N,K] where b_transposed; [M,N]
	int a_transposed, b_transposed;  // one of them at most
	// Elements from a row to the next as it lies in memory; 0: no gaps. Operands whose rows begin at multiples of 16 bytes are read
	// many times faster than others, whole 16 bytes at a time: gaps of a and b, behind the last row too, begin with zeroes up to
	// the next multiple of 16 bytes.
	int64_t a_stride, b_stride, c_stride;
	uint32_t a_type, b_type, c_type; // DT_F32 or precision
	uint32_t precision;              // in which operands are multiplied: DT_F32 operands are rounded to it first
	// Of the epilogue, a product of halves whose c is DT_F32 has mode alone.
	CUdeviceptr bias;                // float [N]
	CUdeviceptr pre;                 // [M,N] of c_type, with c's stride
	int gelu;
	CUdeviceptr derivative_of, add;  // [M,N] of c_type, with c's stride
	int mode;                        // of c, where c_type is DT_F32: enum atoll_mode
	CUdeviceptr step;                // the step vector, where mode is MODE_BY_STEP
	CUdeviceptr a_sums, b_sums;      // float [M] or [N], one of them: a or b summed over K, written whatever mode is
	// M is no number of rows that may be more or fewer from one run to the next (the gradient of a weight): how the sums over K are
	// cut up may then depend on M too.
	int fixed_rows;
	// A row of c in float32 has the same bits whatever other rows there are. cublasLt takes another algorithm, with other sums, for
	// another M, so it makes such a product only where operands may be rounded to TF32.
	int rows_alone;
	CUdeviceptr workspace;           // gpu_product_workspace bytes, at a multiple of 256
} product;

// gpu_product queues the product: by cublasLt where it is loaded and knows the shape, else by a kernel of our own. Any of M, N
// and K may be 0. By our own kernel, an element's bits depend on its row of a, its column of b and K alone, never on other rows;
// with fixed_rows on M, N and the device too. Only cublasLt makes a_sums and b_sums: where they are asked for and it does not, the
// answer is CUDA_ERROR_NOT_SUPPORTED with nothing queued, and the caller asks again without them.
CUresult gpu_product(gpu *g, const product *p);

// gpu_product_workspace is how many bytes gpu_product wants, a multiple of 256; only sizes, strides, types, transpositions and
// fixed_rows count.
size_t gpu_product_workspace(const gpu *g, const product *p);

// own_product and cublaslt_product are the two ways. cublaslt_product answers CUDA_ERROR_NOT_SUPPORTED, with nothing queued, where
// cublasLt is not there or refuses the product.
CUresult own_product(gpu *g, const product *p);
size_t own_product_workspace(const gpu *g, const product *p);
CUresult cublaslt_product(gpu *g, const product *p);
size_t cublaslt_product_workspace(const gpu *g, const product *p);

// gpu_cast queues the rounding of rows x columns floats at from to DT_BF16 or DT_F16. Rows of the result begin at multiples of
// to_stride, a multiple of 8, and to is a multiple of 16; what lies behind a row up to the next multiple of 8 becomes 0.
CUresult gpu_cast(gpu *g, CUdeviceptr to, CUdeviceptr from, int64_t rows, int64_t columns, int64_t to_stride, int64_t from_stride,
	uint32_t type);

#endif
