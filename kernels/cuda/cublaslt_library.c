//go:build gpu

#include "cublaslt_library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CANDIDATES = 2 };

static const char *const candidates[CANDIDATES] = {"libcublasLt.so.13", "libcublasLt.so.12"};

static int named(const char *environment) {
	const char *value = getenv(environment);
	return value && value[0];
}

// name is what to give to dlopen as the candidate, or NULL with why in text. NVIDIA's cublasLt works with NVIDIA's driver: where
// another driver was named, it is used only if it was named too.
static const char *name(int candidate, char *text) {
	const char *path = getenv("ATOLL_LIBCUBLASLT");
	if (!named("ATOLL_LIBCUBLASLT")) {
		if (!named("ATOLL_LIBCUDA")) return candidates[candidate];
		snprintf(text, CUBLASLT_TEXT_BYTES, "ATOLL_LIBCUDA names a driver, and ATOLL_LIBCUBLASLT does not name a cublasLt for it");
		return NULL;
	}
	if (!strcmp(path, "none")) {
		snprintf(text, CUBLASLT_TEXT_BYTES, "ATOLL_LIBCUBLASLT is none");
		return NULL;
	}
	return candidate == 0 ? path : NULL;
}

static void unload(cublaslt_library *l) {
	if (l->library) dlclose(l->library);
	l->library = NULL;
}

static void *resolve(cublaslt_library *l, const char *path, const char *symbol) {
	void *found = l->library ? dlsym(l->library, symbol) : NULL;
	if (!found && l->library) {
		snprintf(l->text, CUBLASLT_TEXT_BYTES, "%s has no %s", path, symbol);
		unload(l);
	}
	return found;
}

// load loads one of the libraries; where that fails it is 0 and text says why.
static int load(cublaslt_library *l, int candidate) {
	const char *path = name(candidate, l->text);
	if (!path) return 0;
	l->library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE); // what it left in the driver may call it at exit
	if (!l->library) {
		snprintf(l->text, CUBLASLT_TEXT_BYTES, "%s", dlerror());
		return 0;
	}
#define RESOLVE(name, result, arguments) *(void **)&l->name = resolve(l, path, #name);
	CUBLASLT_CALLS(RESOLVE)
#undef RESOLVE
	if (l->library) snprintf(l->text, CUBLASLT_TEXT_BYTES, "%s", path);
	return l->library != NULL;
}

// put_one leaves 1.0f (the bytes 00 00 80 3f) on the device.
static CUresult put_one(cublaslt *lt, CUstream stream) {
	CUresult e = cuMemAlloc(&lt->one, sizeof(float));
	if (!e) e = cuMemsetD8Async(lt->one, 0, sizeof(float), stream);
	if (!e) e = cuMemsetD8Async(lt->one + 2, 0x80, 1, stream);
	if (!e) e = cuMemsetD8Async(lt->one + 3, 0x3f, 1, stream);
	return e;
}

// start_one makes a handle by one of the libraries. One that is newer than the driver has none to give.
static int start_one(cublaslt *lt, int candidate) {
	cublaslt_library *l = &lt->calls;
	if (!load(l, candidate)) return 0;
	cublasStatus_t s = l->cublasLtCreate(&lt->handle);
	if (!s) return 1;
	lt->handle = NULL;
	snprintf(l->text, CUBLASLT_TEXT_BYTES, "%s: cublasLtCreate answers %s", name(candidate, l->text), l->cublasLtGetStatusName(s));
	unload(l);
	return 0;
}

cublaslt *cublaslt_start(CUstream stream, int capability) {
	cublaslt *lt = calloc(1, sizeof *lt);
	if (!lt) return NULL;
	lt->capability = capability;
	// Before Hopper the GELU epilogues exist, but in bf16 they are slower than a product and a pass over its result.
	lt->fuses_gelu = capability >= 90;
	char first[CUBLASLT_TEXT_BYTES]; // why not, of the library that is wanted most
	int started = start_one(lt, 0);
	memcpy(first, lt->calls.text, sizeof first);
	for (int i = 1; i < CANDIDATES && !started; i++) started = start_one(lt, i);
	if (!started) memcpy(lt->calls.text, first, sizeof first);
	if (started && put_one(lt, stream)) {
		snprintf(lt->calls.text, CUBLASLT_TEXT_BYTES, "the device has no memory for it");
		lt->calls.cublasLtDestroy(lt->handle);
		lt->handle = NULL;
	}
	return lt;
}

void cublaslt_stop(cublaslt *lt) {
	if (!lt) return;
	if (lt->one) cuMemFree(lt->one);
	if (lt->handle) lt->calls.cublasLtDestroy(lt->handle);
	unload(&lt->calls);
	free(lt);
}
