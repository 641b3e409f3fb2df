// The driver's calls on the device, its context, and errors.
#include <stdio.h>
#include <string.h>

#include "driver.h"
#include "memory.h"
#include "report.h"

namespace emulator {

std::recursive_mutex driver_lock;

static char context;
static int retained;
static thread_local bool current; // the context is, on this thread

int enter(const char *call, bool with_context) {
	if (with_context && (!current || !retained)) return INVALID_CONTEXT;
	if (int code = fails(call)) return code;
	lose_device(call);
	return with_context ? broken() : SUCCESS;
}

static int attribute(int a) {
	int old = fails("capability");
	switch (a) {
	case MAX_THREADS_PER_BLOCK: return MOST_THREADS;
	case MAX_SHARED_PER_BLOCK: return 48 << 10;
	case MAX_SHARED_PER_BLOCK_OPTIN: return MOST_SHARED;
	case WARP_SIZE: return WARP;
	case MULTIPROCESSORS: return 4;
	case CAPABILITY_MAJOR: return old ? old : 9;
	case CAPABILITY_MINOR: return 0;
	}
	return a >= 9000 && a < 9000 + COUNTS ? counts[a - 9000] + (a == 9000 + UNFREED ? unreleased() : 0) : 0;
}

}

using namespace emulator;

EXPORT int cuInit(unsigned flags) { return flags ? (int)INVALID_VALUE : fails("cuInit"); }

EXPORT int cuDriverGetVersion(int *version) { return *version = 13000, SUCCESS; }

EXPORT int cuDeviceGetCount(int *n) { return *n = fails("count") ? 0 : 1, SUCCESS; }

EXPORT int cuDeviceGet(int *device, int i) { return *device = i, i ? INVALID_DEVICE : SUCCESS; }

EXPORT int cuDeviceGetName(char *name, int n, int device) {
	snprintf(name, (size_t)n, "emulated GPU");
	return device ? INVALID_DEVICE : SUCCESS;
}

EXPORT int cuDeviceTotalMem_v2(size_t *n, int device) { return *n = memory_total(), device ? INVALID_DEVICE : SUCCESS; }

EXPORT int cuDeviceGetAttribute(int *value, int a, int device) {
	std::lock_guard<std::recursive_mutex> guard(driver_lock);
	return *value = attribute(a), device ? INVALID_DEVICE : SUCCESS;
}

EXPORT int cuDevicePrimaryCtxRetain(void **c, int device) {
	ENTER_WITHOUT_CONTEXT(cuDevicePrimaryCtxRetain);
	if (device || broken()) return device ? INVALID_DEVICE : broken();
	retained++;
	return *c = &context, SUCCESS;
}

// The last release ends the context: what was allocated in it goes. An error stays, as it does on a GPU, until the process ends.
EXPORT int cuDevicePrimaryCtxRelease_v2(int device) {
	ENTER_WITHOUT_CONTEXT(cuDevicePrimaryCtxRelease_v2);
	if (device || !retained) return device ? INVALID_DEVICE : INVALID_CONTEXT;
	current = false;
	if (--retained == 0) release_all();
	return SUCCESS;
}

EXPORT int cuCtxSetCurrent(void *c) {
	ENTER_WITHOUT_CONTEXT(cuCtxSetCurrent);
	if (c && c != &context) return INVALID_CONTEXT;
	return current = c != nullptr, SUCCESS;
}

EXPORT int cuCtxGetCurrent(void **c) { return *c = current ? &context : nullptr, SUCCESS; }

EXPORT int cuCtxGetDevice(int *device) {
	ENTER(cuCtxGetDevice);
	return *device = 0, SUCCESS;
}

EXPORT int cuCtxSynchronize() {
	ENTER(cuCtxSynchronize);
	counts[WAITS]++;
	return run_all();
}

static const struct {
	int code;
	const char *name, *words;
} errors[] = {
	{SUCCESS, "CUDA_SUCCESS", "no error"},
	{INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
	{OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
	{NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
	{INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
	{INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
	{INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
	{INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
	{ILLEGAL_STATE, "CUDA_ERROR_ILLEGAL_STATE", "the operation cannot be performed in the present state"},
	{NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
	{NOT_READY, "CUDA_ERROR_NOT_READY", "device not ready"},
	{ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
	{OUT_OF_RESOURCES, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"},
	{MISALIGNED_ADDRESS, "CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address"},
	{LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
	{NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
	{CAPTURE_UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"},
	{CAPTURE_INVALIDATED, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "operation failed due to a previous error during capture"},
	{CAPTURE_MERGE, "CUDA_ERROR_STREAM_CAPTURE_MERGE", "operation would result in a merge of separate capture sequences"},
	{CAPTURE_UNMATCHED, "CUDA_ERROR_STREAM_CAPTURE_UNMATCHED", "capture was not ended in the same stream as it began"},
	{CAPTURE_UNJOINED, "CUDA_ERROR_STREAM_CAPTURE_UNJOINED", "capturing stream has unjoined work"},
	{CAPTURE_ISOLATION, "CUDA_ERROR_STREAM_CAPTURE_ISOLATION", "dependency created on uncaptured work in another stream"},
	{UNKNOWN, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

EXPORT int cuGetErrorName(int code, const char **name) {
	for (auto &e : errors)
		if (e.code == code) return *name = e.name, SUCCESS;
	return *name = nullptr, INVALID_VALUE;
}

EXPORT int cuGetErrorString(int code, const char **words) {
	std::lock_guard<std::recursive_mutex> guard(driver_lock);
	if ((*words = report(code))) return SUCCESS;
	for (auto &e : errors)
		if (e.code == code) return *words = e.words, SUCCESS;
	return *words = nullptr, INVALID_VALUE;
}
