// A driver that runs nothing: memory is addresses, and each launch of a kernel becomes a line «name threads shared» in the file
// that RECORDER_FILE names. So it tells what the launchers do with sizes that no test machine has the memory for.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long CUdeviceptr;
enum { COMPUTE_CAPABILITY_MAJOR = 75, MULTIPROCESSOR_COUNT = 16, MOST_SHARED_MEMORY = 97 };

#define EXPORT __attribute__((visibility("default")))
#define NOTHING(name, ...) EXPORT int name(__VA_ARGS__) { return 0; }
#define HANDLE(name, ...) EXPORT int name(void **handle, ##__VA_ARGS__) { return *handle = &place, 0; }

static char place;
static FILE *launches;

EXPORT int cuInit(unsigned flags) {
	const char *name = getenv("RECORDER_FILE");
	launches = name ? fopen(name, "w") : NULL;
	return launches && !flags ? 0 : 999;
}
EXPORT int cuDriverGetVersion(int *version) { return *version = 13000, 0; }
EXPORT int cuDeviceGetCount(int *n) { return *n = 1, 0; }
EXPORT int cuDeviceGet(int *device, int i) { return *device = i, 0; }
EXPORT int cuDeviceGetName(char *name, int n, int d) { return snprintf(name, n, "recorder %d", d), 0; }
EXPORT int cuDeviceTotalMem_v2(size_t *n, int d) { return *n = (size_t)1 << 40, d; }
EXPORT int cuDeviceGetAttribute(int *v, int attribute, int d) {
	const char *major = getenv("RECORDER_MAJOR");
	*v = attribute == COMPUTE_CAPABILITY_MAJOR ? major ? atoi(major) : 9 : attribute == MULTIPROCESSOR_COUNT ? 132 : attribute == MOST_SHARED_MEMORY ? 232448 : 0;
	return d;
}
HANDLE(cuDevicePrimaryCtxRetain, int device)
NOTHING(cuDevicePrimaryCtxRelease_v2, int device)
NOTHING(cuCtxSetCurrent, void *context)
EXPORT int cuCtxGetDevice(int *device) { return *device = 0; }
EXPORT int cuGetErrorName(int e, const char **s) { return *s = "an error of the recorder", e - e; }
EXPORT int cuGetErrorString(int e, const char **s) { return *s = "no words", e - e; }
EXPORT int cuMemGetInfo_v2(size_t *available, size_t *total) { return *available = *total = (size_t)1 << 40, 0; }
EXPORT int cuMemAlloc_v2(CUdeviceptr *p, size_t n) {
	static CUdeviceptr next = 1 << 20;
	*p = next;
	next += (n + 511) / 256 * 256;
	return 0;
}
NOTHING(cuMemFree_v2, CUdeviceptr p)
EXPORT int cuMemAllocHost_v2(void **p, size_t n) { return *p = calloc(1, n), *p ? 0 : 2; }
EXPORT int cuMemFreeHost(void *p) { return free(p), 0; }
NOTHING(cuMemsetD8Async, CUdeviceptr p, unsigned char value, size_t n, void *stream)
NOTHING(cuMemsetD32Async, CUdeviceptr p, unsigned value, size_t n, void *stream)
NOTHING(cuMemcpyHtoDAsync_v2, CUdeviceptr p, const void *host, size_t n, void *stream)
NOTHING(cuMemcpyDtoDAsync_v2, CUdeviceptr to, CUdeviceptr from, size_t n, void *stream)
EXPORT int cuMemcpyDtoHAsync_v2(void *host, CUdeviceptr p, size_t n, void *stream) { return memset(host, 0, n), !p || !stream; }
HANDLE(cuModuleLoadData, const void *image)
NOTHING(cuModuleUnload, void *module)
EXPORT int cuModuleGetFunction(void **f, void *module, const char *name) { return *f = strdup(name), !module; }
EXPORT int cuFuncGetAttribute(int *v, int attribute, void *f) { return *v = 0, attribute < 0 || !f; }
NOTHING(cuFuncSetAttribute, void *f, int attribute, int v)
NOTHING(cuTensorMapEncodeTiled, void *map, int type, unsigned rank, void *at, const void *sizes, const void *strides, const void *box, const void *steps,
	int interleave, int swizzle, int promotion, int fill)
EXPORT int cuLaunchKernel(void *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, void *stream,
	void **params, void **extra) {
	if (!gx || !gy || !gz || !bx || by != 1 || bz != 1 || !stream || !params || extra || gy > 65535 || gz > 65535) return 1;
	fprintf(launches, "%s %u %u\n", (const char *)f, bx, shared);
	return fflush(launches);
}
HANDLE(cuStreamCreate, unsigned flags)
NOTHING(cuStreamDestroy_v2, void *stream)
NOTHING(cuStreamSynchronize, void *stream)
NOTHING(cuStreamBeginCapture_v2, void *stream, int mode)
EXPORT int cuStreamEndCapture(void *stream, void **graph) { return *graph = stream, 0; }
HANDLE(cuGraphInstantiateWithFlags, void *graph, unsigned long long flags)
NOTHING(cuGraphDestroy, void *graph)
NOTHING(cuGraphExecDestroy, void *graph)
NOTHING(cuGraphLaunch, void *graph, void *stream)
