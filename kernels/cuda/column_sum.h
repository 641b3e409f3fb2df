// Sums over the rows of a matrix, for the gradients of biases.
#ifndef ATOLL_COLUMN_SUM_H
#define ATOLL_COLUMN_SUM_H

#include "launch.h"

// out [O] = the sums over the N rows of x [N,O], in an order that depends on N, O, the type and the device alone. out is float,
// written or added to as mode says.
typedef struct {
	int64_t N, O;
	CUdeviceptr x, out;
	uint32_t type;         // of x
	int mode;              // enum atoll_mode
	CUdeviceptr step;      // the step vector
	CUdeviceptr workspace; // gpu_column_sum_workspace bytes, at a multiple of 256
} column_sum;

CUresult gpu_column_sum(gpu *g, const column_sum *s);

// gpu_column_sum_workspace is a multiple of 256; only sizes and the type count.
size_t gpu_column_sum_workspace(const gpu *g, const column_sum *s);

#endif
