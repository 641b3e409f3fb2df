// A driver for the tests of the host side: one device whose streams do nothing until they are waited for, so that a missing
// wait shows; memory with exact bounds; graphs; the add kernels; calls that fail when they are told to. It is no emulator:
// there are no threads and no other kernels.
//
// DRIVER_FAIL=call:code makes that call answer with the code; wrong:1 makes the add kernels spoil their first element;
// fault:code:call:value:limit:index puts a fault record on the device when a stream is waited for. Device attributes from 9000 are counts: 0 plain launches, 1 launches of graphs, 2 waits,
// 3 allocations that were not freed, 4 captures.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../source/fault.h"

// The numbers of cuda.h, which is not included: with void for every handle the calls are shorter than it declares them.
typedef unsigned long long CUdeviceptr;
enum {
	CUDA_ERROR_INVALID_VALUE = 1, CUDA_ERROR_OUT_OF_MEMORY = 2, CUDA_ERROR_INVALID_DEVICE = 101, CUDA_ERROR_INVALID_IMAGE = 200,
	CUDA_ERROR_INVALID_CONTEXT = 201, CUDA_ERROR_INVALID_HANDLE = 400, CUDA_ERROR_NOT_FOUND = 500, CUDA_ERROR_ILLEGAL_ADDRESS = 700,
	CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED = 900, CUDA_ERROR_UNKNOWN = 999,
	CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES = 1,
	CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8, CU_STREAM_NON_BLOCKING = 1, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1
};

#define EXPORT __attribute__((visibility("default")))

enum { TOTAL = 1 << 30, OPS = 4096, BLOCKS = 256 };
enum kind { FILL, COPY, ADD_F32, ADD_BF16, ADD_F16 };

typedef struct {
	enum kind kind;
	char *out;
	const char *a, *b;
	size_t n;
	int value;
} op;

typedef struct {
	op ops[OPS];
	int count;
} list;

static list queued, recorded;
static int capturing, counts[8];
static size_t used;
static struct {
	char *start;
	size_t bytes;
} blocks[BLOCKS];
static char context;
static _Thread_local int current; // the context is, on this thread

static int fails(const char *call) {
	const char *wish = getenv("DRIVER_FAIL");
	size_t n = strlen(call);
	return wish && !strncmp(wish, call, n) && wish[n] == ':' ? atoi(wish + n + 1) : 0;
}

// A context is current on the threads that made it so, and on no others.
#define ENTER(call)                                                                                           \
	do {                                                                                                        \
		if (!current) return CUDA_ERROR_INVALID_CONTEXT;                                                         \
		if (fails(#call)) return fails(#call);                                                                   \
	} while (0)

static int inside(const char *p, size_t n) {
	for (int i = 0; i < BLOCKS; i++)
		if (blocks[i].start && p >= blocks[i].start && p + n <= blocks[i].start + blocks[i].bytes) return 1;
	return 0;
}

static float f16(const char *p) {
	_Float16 x;
	memcpy(&x, p, 2);
	return x;
}

static float bf16(const char *p) {
	unsigned bits = 0;
	float x;
	memcpy((char *)&bits + 2, p, 2);
	memcpy(&x, &bits, 4);
	return x;
}

static void add(const op *o, size_t i) {
	if (o->kind == ADD_F32) {
		((float *)o->out)[i] = ((const float *)o->a)[i] + ((const float *)o->b)[i];
	} else if (o->kind == ADD_F16) {
		_Float16 sum = f16(o->a + 2 * i) + f16(o->b + 2 * i);
		memcpy(o->out + 2 * i, &sum, 2);
	} else {
		float sum = bf16(o->a + 2 * i) + bf16(o->b + 2 * i);
		unsigned bits;
		memcpy(&bits, &sum, 4);
		bits += 0x7fff + (bits >> 16 & 1);
		memcpy(o->out + 2 * i, (char *)&bits + 2, 2);
	}
}

// An address of the device that was freed while work for it was queued ends the process.
static void perform(const op *o) {
	size_t width = o->kind == ADD_F32 ? 4 : o->kind == FILL || o->kind == COPY ? 1 : 2;
	if (!inside(o->out, o->n * width) && !(o->kind == COPY && inside(o->a, o->n))) {
		fprintf(stderr, "testdata/driver.c: work on memory that was freed\n");
		abort();
	}
	if (o->kind == FILL) memset(o->out, o->value, o->n);
	else if (o->kind == COPY) memcpy(o->out, o->a, o->n);
	else
		for (size_t i = 0; i < o->n; i++) add(o, i);
	if (o->kind >= ADD_F32 && o->n && fails("wrong")) o->out[width - 1] ^= 0x40;
}

static int queue(op o) {
	list *l = capturing ? &recorded : &queued;
	if (l->count == OPS) return CUDA_ERROR_OUT_OF_MEMORY;
	l->ops[l->count++] = o;
	return 0;
}

// A program ends with a copy of its fault record to the host.
static void plant_fault(const op *last) {
	fault_record f;
	const char *wish = getenv("DRIVER_FAIL");
	if (last->kind == COPY && last->n == sizeof f && wish && sscanf(wish, "fault:%d:%d:%d:%d:%d", &f.code, &f.call, &f.value, &f.limit, &f.index) == 5)
		memcpy((char *)last->a, &f, sizeof f);
}

EXPORT int cuInit(unsigned flags) { return flags ? CUDA_ERROR_INVALID_VALUE : fails("cuInit"); }
EXPORT int cuDriverGetVersion(int *version) { return *version = 13000, 0; }
EXPORT int cuDeviceGetCount(int *n) { return *n = fails("count") ? 0 : 1, 0; }
EXPORT int cuDeviceGet(int *d, int i) { return *d = i, i ? CUDA_ERROR_INVALID_DEVICE : 0; }
EXPORT int cuDeviceGetName(char *s, int n, int d) { return snprintf(s, n, "stand-in %d", d), 0; }
EXPORT int cuDeviceTotalMem_v2(size_t *n, int d) { return *n = TOTAL, d; }
EXPORT int cuDeviceGetAttribute(int *v, int a, int d) {
	*v = a == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR ? (fails("capability") ? fails("capability") : 9) : a >= 9000 ? counts[a - 9000] : 4;
	return d;
}
EXPORT int cuDevicePrimaryCtxRetain(void **c, int d) { return *c = &context, fails("cuDevicePrimaryCtxRetain") + d; }
EXPORT int cuDevicePrimaryCtxRelease_v2(int d) {
	ENTER(cuDevicePrimaryCtxRelease_v2);
	return current = 0, d;
}
EXPORT int cuCtxSetCurrent(void *c) {
	if (c != &context) return CUDA_ERROR_INVALID_CONTEXT;
	return current = 1, 0;
}
EXPORT int cuGetErrorName(int e, const char **s) {
	*s = e == 2 ? "CUDA_ERROR_OUT_OF_MEMORY" : e == 201 ? "CUDA_ERROR_INVALID_CONTEXT" : e == 700 ? "CUDA_ERROR_ILLEGAL_ADDRESS" : "CUDA_ERROR_UNKNOWN";
	return 0;
}
EXPORT int cuGetErrorString(int e, const char **s) { return *s = e == 700 ? "an illegal memory access was encountered" : "words", 0; }
EXPORT int cuMemGetInfo_v2(size_t *available, size_t *total) {
	ENTER(cuMemGetInfo_v2);
	return *available = TOTAL - used, *total = TOTAL, 0;
}
EXPORT int cuMemAlloc_v2(CUdeviceptr *p, size_t n) {
	ENTER(cuMemAlloc_v2);
	if (n == 0) return CUDA_ERROR_INVALID_VALUE;
	if (n > TOTAL - used) return CUDA_ERROR_OUT_OF_MEMORY;
	for (int i = 0; i < BLOCKS; i++) {
		if (blocks[i].start) continue;
		blocks[i].start = memset(malloc(n), 0xff, n), blocks[i].bytes = n;
		used += n, counts[3]++;
		return *p = (CUdeviceptr)blocks[i].start, 0;
	}
	return CUDA_ERROR_UNKNOWN;
}
EXPORT int cuMemFree_v2(CUdeviceptr p) {
	ENTER(cuMemFree_v2);
	for (int i = 0; i < BLOCKS; i++) {
		if (!p || (CUdeviceptr)blocks[i].start != p) continue;
		free(blocks[i].start);
		blocks[i].start = NULL, used -= blocks[i].bytes, counts[3]--;
		return 0;
	}
	return CUDA_ERROR_INVALID_VALUE;
}
EXPORT int cuMemAllocHost_v2(void **p, size_t n) {
	ENTER(cuMemAllocHost_v2);
	return *p = malloc(n), counts[3]++, 0;
}
EXPORT int cuMemFreeHost(void *p) {
	ENTER(cuMemFreeHost);
	return free(p), counts[3]--, 0;
}
EXPORT int cuMemsetD8Async(CUdeviceptr p, unsigned char value, size_t n, void *s) {
	ENTER(cuMemsetD8Async);
	return inside((char *)p, n) && s ? queue((op){FILL, (char *)p, NULL, NULL, n, value}) : CUDA_ERROR_INVALID_VALUE;
}
EXPORT int cuMemcpyHtoDAsync_v2(CUdeviceptr p, const void *host, size_t n, void *s) {
	ENTER(cuMemcpyHtoDAsync_v2);
	return inside((char *)p, n) && s ? queue((op){COPY, (char *)p, host, NULL, n, 0}) : CUDA_ERROR_INVALID_VALUE;
}
EXPORT int cuMemcpyDtoHAsync_v2(void *host, CUdeviceptr p, size_t n, void *s) {
	ENTER(cuMemcpyDtoHAsync_v2);
	return inside((char *)p, n) && s ? queue((op){COPY, host, (char *)p, NULL, n, 0}) : CUDA_ERROR_INVALID_VALUE;
}
EXPORT int cuModuleLoadData(void **m, const void *image) {
	ENTER(cuModuleLoadData);
	return *m = counts, image ? 0 : CUDA_ERROR_INVALID_IMAGE;
}
EXPORT int cuModuleUnload(void *m) {
	ENTER(cuModuleUnload);
	return m == counts ? 0 : CUDA_ERROR_INVALID_VALUE;
}
EXPORT int cuModuleGetFunction(void **f, void *m, const char *name) {
	ENTER(cuModuleGetFunction);
	const char *names[] = {[ADD_F32] = "add_f32", [ADD_BF16] = "add_bf16", [ADD_F16] = "add_f16"};
	for (int i = ADD_F32; i <= ADD_F16; i++)
		if (m == counts && !strcmp(name, names[i])) return *f = (void *)(size_t)i, 0;
	return CUDA_ERROR_NOT_FOUND;
}
EXPORT int cuFuncGetAttribute(int *v, int a, void *f) {
	ENTER(cuFuncGetAttribute);
	return *v = 0, a != CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES || !f ? CUDA_ERROR_INVALID_VALUE : 0;
}
EXPORT int cuFuncSetAttribute(void *f, int a, int v) {
	ENTER(cuFuncSetAttribute);
	return a != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES || v > 227 << 10 || !f ? CUDA_ERROR_INVALID_VALUE : 0;
}
EXPORT int cuLaunchKernel(void *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, void *s,
	void **params, void **extra) {
	ENTER(cuLaunchKernel);
	if (!gx || !gy || !gz || !bx || by != 1 || bz != 1 || !s || shared || extra) return CUDA_ERROR_INVALID_VALUE;
	enum kind kind = (enum kind)(size_t)f;
	op o = {kind, *(char **)params[0], *(char **)params[1], *(char **)params[2], *(size_t *)params[3], 0};
	size_t bytes = o.n * (kind == ADD_F32 ? 4 : 2);
	if (!inside(o.out, bytes) || !inside(o.a, bytes) || !inside(o.b, bytes)) return CUDA_ERROR_ILLEGAL_ADDRESS;
	if (!capturing) counts[0]++;
	return queue(o);
}
EXPORT int cuStreamCreate(void **s, unsigned flags) {
	ENTER(cuStreamCreate);
	return *s = &queued, flags != CU_STREAM_NON_BLOCKING;
}
EXPORT int cuStreamDestroy_v2(void *s) {
	ENTER(cuStreamDestroy_v2);
	return s == &queued ? 0 : CUDA_ERROR_INVALID_HANDLE;
}
EXPORT int cuStreamSynchronize(void *s) {
	ENTER(cuStreamSynchronize);
	if (capturing || s != &queued) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
	counts[2]++;
	for (int i = 0; i < queued.count; i++) {
		if (i + 1 == queued.count) plant_fault(&queued.ops[i]);
		perform(&queued.ops[i]);
	}
	return queued.count = 0;
}
EXPORT int cuStreamBeginCapture_v2(void *s, int mode) {
	ENTER(cuStreamBeginCapture_v2);
	return capturing = 1, recorded.count = 0, counts[4]++, s != &queued || mode != CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
}
EXPORT int cuStreamEndCapture(void *s, void **graph) {
	capturing = 0;
	ENTER(cuStreamEndCapture);
	return *graph = memcpy(malloc(sizeof recorded), &recorded, sizeof recorded), counts[3]++, s != &queued;
}
EXPORT int cuGraphInstantiateWithFlags(void **e, void *graph, unsigned long long flags) {
	ENTER(cuGraphInstantiateWithFlags);
	return *e = memcpy(malloc(sizeof recorded), graph, sizeof recorded), counts[3]++, flags != 0;
}
EXPORT int cuGraphDestroy(void *graph) { return free(graph), counts[3]--, 0; }
EXPORT int cuGraphExecDestroy(void *graph) { return free(graph), counts[3]--, 0; }
EXPORT int cuGraphLaunch(void *graph, void *s) {
	ENTER(cuGraphLaunch);
	const list *l = graph;
	if (capturing || s != &queued) return CUDA_ERROR_INVALID_VALUE;
	for (int i = 0; i < l->count; i++)
		if (queue(l->ops[i])) return CUDA_ERROR_OUT_OF_MEMORY;
	return counts[1]++, 0;
}
