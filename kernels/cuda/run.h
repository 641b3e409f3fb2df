// What Go calls: a device's C side and its programs. All of it belongs to the thread that the context is current on.
#ifndef ATOLL_CUDA_RUN_H
#define ATOLL_CUDA_RUN_H

#include "launch.h"

enum { GPU_DOING_BYTES = 200 };

// Why a run failed. call is the index of the call that was being launched, or -1 where it is not known.
typedef struct {
	CUresult code;
	int64_t call;
	char doing[GPU_DOING_BYTES]; // "launching ...", or empty
} gpu_failure;

// A call with its arguments resolved to addresses.
typedef struct {
	atoll_call call;
	CUdeviceptr arg[ATOLL_MAX_ARGS]; // 0 where absent
} gpu_bound;

// The inputs of runs to come: the host fills one area while the device may still read the other. A copy to the device waits until its
// area was read, and the read until the copy is done.
typedef struct {
	char *host[2]; // pinned
	CUdeviceptr device[2];
	CUevent uploaded[2], read[2];
	size_t bytes;
	int next;    // the area that the host fills
	int waiting; // 1: the other one is uploaded, for a run that has not begun
} gpu_staging;

// Memory through which host and device pass values: before the calls the first in bytes go to the device, after them what is from
// out to size comes back.
typedef struct {
	CUdeviceptr device;
	char *host; // pinned
	size_t in, out, size;
	gpu_staging *staging; // NULL where the host hands nothing over before a run
} gpu_exchange;

enum { GPU_EXCHANGES = 4 };

// A program and the graph it was captured in. Zero but for calls, count and exchanges at the start.
typedef struct {
	gpu_bound *calls;
	int64_t count;
	gpu_exchange exchanges[GPU_EXCHANGES];
	int exchange_count;
	CUgraphExec graph;
	unsigned scratch; // the version of the scratch memory whose address is in the graph
	int ran;          // plainly, once
	int refused;      // capture was: replayed plainly from then on
} gpu_program;

// gpu_new makes a device's C side, or is NULL without memory. Inputs of later runs are uploaded on the stream copies. faults is a
// fault_record on the device, seen one in pinned host memory. stepwise: wait after every call and use no graphs, so that an error names its call.
gpu *gpu_new(CUstream stream, CUstream copies, int processors, int capability, CUdeviceptr faults, fault_record *seen, int stepwise);

// gpu_free gives back what g has on the device too, so the context must be there still. g may be NULL.
void gpu_free(gpu *g);

// gpu_set_tf32 lets products of float32 round their operands to TF32, or not, as at the start. Programs that are there already
// must have run for the last time.
void gpu_set_tf32(gpu *g, int tf32);

// gpu_add_module makes the kernels of a module known, or is 0 where there are too many modules.
int gpu_add_module(gpu *g, CUmodule module);

// gpu_set_scratch replaces the workspace. Graphs that hold the old address are captured anew at their next run.
void gpu_set_scratch(gpu *g, CUdeviceptr p);

// gpu_cublaslt_version is the version of the device's cublasLt, 130100 for 13.1.0; text is the name that it was found under. It is 0
// where products are made without it, and text says why.
int64_t gpu_cublaslt_version(const gpu *g, const char **text);

// gpu_cublaslt_products is how many products cublasLt has made on the device.
int64_t gpu_cublaslt_products(const gpu *g);

int gpu_has(uint32_t kernel);
size_t gpu_workspace_of(const gpu *g, const atoll_call *c);

// gpu_staging_start makes the events of areas that have their memory, gpu_staging_clear gives them back.
CUresult gpu_staging_start(gpu_staging *s);
void gpu_staging_clear(gpu_staging *s);

// gpu_stage queues the copy of the area that the host has filled, for the next run that holds it. None may be waiting.
CUresult gpu_stage(gpu *g, gpu_staging *s);

// gpu_start queues a program: by plain launches the first time, captured in a graph the second, from the graph after that. gpu_wait
// returns when all of it is done, and the fault record lies in seen. At a failure they are 0 and gpu_failed says more.
int gpu_start(gpu *g, gpu_program *p);
int gpu_wait(gpu *g);
const gpu_failure *gpu_failed(const gpu *g);
void gpu_program_clear(gpu_program *p);

#endif
