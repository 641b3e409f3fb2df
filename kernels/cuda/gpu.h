// The C side of a device, for launch.c and run.c.
#ifndef ATOLL_GPU_H
#define ATOLL_GPU_H

#include "run.h"

enum { MODULES = 64, FUNCTIONS = 1024 };

typedef struct {
	char name[GPU_NAME_BYTES]; // empty: a free place
	CUfunction function;
	unsigned shared; // the most dynamic shared memory it may be launched with as it is set up
} function;

struct gpu {
	CUstream stream, copies;
	int processors, capability, stepwise, tf32;
	unsigned shared; // the most shared memory of a block, in bytes
	CUmodule modules[MODULES];
	int module_count;
	function functions[FUNCTIONS]; // a hash table with linear probing
	int function_count;
	CUdeviceptr scratch, faults;
	unsigned scratch_version;
	struct cublaslt *cublaslt; // NULL before a product first asks for it
	fault_record *seen;
	int64_t call;
	gpu_failure failure;
};

#endif
