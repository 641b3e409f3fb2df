//go:build gpu

#include "cublaslt_library.h"
#include "gpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_SHARED = 48 << 10 };

// most_shared asks the driver about the context's device; where it does not know, a block can have what every device gives.
static unsigned most_shared(void) {
	CUdevice device;
	int bytes = 0;
	if (cuCtxGetDevice(&device) || cuDeviceGetAttribute(&bytes, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, device)) bytes = 0;
	return bytes > DEFAULT_SHARED ? (unsigned)bytes : DEFAULT_SHARED;
}

gpu *gpu_new(CUstream stream, CUstream copies, int processors, int capability, CUdeviceptr faults, fault_record *seen, int stepwise) {
	gpu *g = calloc(1, sizeof *g);
	if (!g) return NULL;
	g->stream = stream, g->copies = copies, g->processors = processors, g->capability = capability, g->stepwise = stepwise;
	g->faults = faults, g->seen = seen;
	g->shared = most_shared();
	return g;
}

void gpu_free(gpu *g) {
	if (g) cublaslt_stop(g->cublaslt);
	free(g);
}

int gpu_add_module(gpu *g, CUmodule module) {
	if (g->module_count == MODULES) return 0;
	g->modules[g->module_count++] = module;
	return 1;
}

void gpu_set_scratch(gpu *g, CUdeviceptr p) {
	g->scratch = p;
	g->scratch_version++;
}

CUdeviceptr gpu_scratch(const gpu *g) { return g->scratch; }
CUdeviceptr gpu_faults(const gpu *g) { return g->faults; }
int gpu_call_index(const gpu *g) { return (int)g->call; }
int gpu_processors(const gpu *g) { return g->processors; }
int gpu_capability(const gpu *g) { return g->capability; }
unsigned gpu_shared(const gpu *g) { return g->shared; }
int gpu_tf32(const gpu *g) { return g->tf32; }
void gpu_set_tf32(gpu *g, int tf32) { g->tf32 = tf32; }

int gpu_has(uint32_t kernel) { return kernel < K_COUNT && gpu_kernels[kernel].launch != NULL; }

size_t gpu_workspace_of(const gpu *g, const atoll_call *c) {
	gpu_workspace *workspace = gpu_kernels[c->kernel].workspace;
	return workspace ? workspace(g, c) : 0;
}

CUresult gpu_zero(gpu *g, CUdeviceptr p, size_t bytes) {
	return bytes ? cuMemsetD8Async(p, 0, bytes, g->stream) : CUDA_SUCCESS;
}

const char *gpu_name(char room[GPU_NAME_BYTES], const char *stem, uint32_t precision) {
	static const char *const suffixes[] = {[DT_F32] = "f32", [DT_BF16] = "bf16", [DT_F16] = "f16"};
	snprintf(room, GPU_NAME_BYTES, "%s_%s", stem, suffixes[precision]);
	return room;
}

// place is where a name stands in the table, or the free place where it belongs.
static function *place(gpu *g, const char *name) {
	uint32_t hash = 2166136261u; // FNV-1a
	for (const char *s = name; *s; s++) hash = (hash ^ (unsigned char)*s) * 16777619u;
	function *f = &g->functions[hash % FUNCTIONS];
	while (f->name[0] && strcmp(f->name, name)) f = f + 1 == g->functions + FUNCTIONS ? g->functions : f + 1;
	return f;
}

// find looks a kernel up in every module, once.
static CUresult find(gpu *g, const char *name, function **found) {
	function *f = *found = place(g, name);
	if (f->name[0]) return CUDA_SUCCESS;
	if (g->function_count >= FUNCTIONS / 2 || strlen(name) >= GPU_NAME_BYTES) return CUDA_ERROR_INVALID_VALUE;
	CUresult e = CUDA_ERROR_NOT_FOUND;
	for (int i = 0; i < g->module_count && e == CUDA_ERROR_NOT_FOUND; i++)
		e = cuModuleGetFunction(&f->function, g->modules[i], name);
	int fixed = 0;
	if (!e) e = cuFuncGetAttribute(&fixed, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, f->function);
	if (e) return e;
	f->shared = fixed < DEFAULT_SHARED ? (unsigned)(DEFAULT_SHARED - fixed) : 0;
	strcpy(f->name, name);
	g->function_count++;
	return CUDA_SUCCESS;
}

CUresult gpu_launch(gpu *g, const char *name, gpu_grid grid, unsigned threads, unsigned shared, void **params) {
	function *f;
	CUresult e = find(g, name, &f);
	if (!e && shared > f->shared) {
		e = cuFuncSetAttribute(f->function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, (int)shared);
		if (!e) f->shared = shared;
	}
	if (!e) e = cuLaunchKernel(f->function, grid.x, grid.y, grid.z, threads, 1, 1, shared, g->stream, params, NULL);
	if (e)
		snprintf(g->failure.doing, GPU_DOING_BYTES, "launching %s in %u x %u x %u blocks of %u threads with %u bytes of shared memory",
			name, grid.x, grid.y, grid.z, threads, shared);
	return e;
}
