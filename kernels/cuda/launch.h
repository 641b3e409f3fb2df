// What a launcher has to work with. A launcher queues the kernels of one call on the device's stream and returns at once; it
// reads no memory of the device and waits for nothing, since programs are captured in CUDA graphs and replayed from there.
#ifndef ATOLL_LAUNCH_H
#define ATOLL_LAUNCH_H

#include <cuda.h>

#include "../cpu/program.h"
#include "source/fault.h"

// A device: stream, modules, scratch memory, fault record.
typedef struct gpu gpu;

typedef struct {
	unsigned x, y, z;
} gpu_grid;

// gpu_launch queues a kernel by name; params are as cuLaunchKernel takes them: the addresses of the arguments. shared is the
// dynamic shared memory in bytes; what is above 48 KB is asked for here.
CUresult gpu_launch(gpu *g, const char *name, gpu_grid grid, unsigned threads, unsigned shared, void **params);

// gpu_scratch is the workspace of the running program, at least as large as what its calls want; nothing is in it.
CUdeviceptr gpu_scratch(const gpu *g);

// gpu_faults is the fault_record on the device, for kernels that look at indexes; gpu_call_index is what they put in its call.
CUdeviceptr gpu_faults(const gpu *g);
int gpu_call_index(const gpu *g);

// gpu_zero queues a fill with zeroes.
CUresult gpu_zero(gpu *g, CUdeviceptr p, size_t bytes);

// gpu_processors is how many streaming multiprocessors the device has.
int gpu_processors(const gpu *g);

// gpu_capability is the device's compute capability, 90 for 9.0.
int gpu_capability(const gpu *g);

// gpu_shared is how many bytes of shared memory a block can have.
unsigned gpu_shared(const gpu *g);

// gpu_tf32 tells whether products of float32 may round their operands to TF32.
int gpu_tf32(const gpu *g);

// gpu_name writes stem_f32, stem_bf16 or stem_f16 into room and returns it.
enum { GPU_NAME_BYTES = 64 };
const char *gpu_name(char room[GPU_NAME_BYTES], const char *stem, uint32_t precision);

// A launcher queues one call's kernels. arg holds device addresses, 0 where absent. The call was checked before
// (kernels.Call.Check): shapes fit the memory, and modes and scalars are in range. A size may be 0: a grid may not.
typedef CUresult gpu_launcher(gpu *g, const atoll_call *c, const CUdeviceptr *arg);

// gpu_workspace is how many bytes of workspace the call wants, a multiple of 256.
typedef size_t gpu_workspace(const gpu *g, const atoll_call *c);

typedef struct {
	gpu_launcher *launch;     // NULL: the device does not have the kernel
	gpu_workspace *workspace; // NULL: none
} gpu_kernel;

// The kernels of the device by number (table.c).
extern const gpu_kernel gpu_kernels[K_COUNT];

#endif
