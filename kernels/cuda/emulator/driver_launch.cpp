// The driver's calls on modules, kernels and launches. Every module has all kernels: they are linked into the library.
#include <map>

#include "driver.h"

namespace emulator {

// A kernel and how much dynamic shared memory it may be launched with.
struct function {
	const emulated_kernel *kernel;
	int most_shared;
};

static std::map<std::string, function> &functions() {
	static std::map<std::string, function> all;
	return all;
}

static int modules; // that are loaded

static bool suits(dim3 grid, dim3 block) {
	if (!grid.x || !grid.y || !grid.z || !block.x || !block.y || !block.z) return false;
	if (grid.x > 0x7fffffff || grid.y > 0xffff || grid.z > 0xffff) return false;
	return block.x <= MOST_THREADS && block.y <= MOST_THREADS && block.z <= 64 && (uint64_t)block.x * block.y * block.z <= MOST_THREADS;
}

}

using namespace emulator;

extern "C" void emulated_register(const emulated_kernel *kernel) { functions()[kernel->name] = {kernel, 48 << 10}; }

EXPORT int cuModuleLoadData(void **module, const void *image) {
	ENTER(cuModuleLoadData);
	if (!image) return INVALID_IMAGE;
	modules++;
	return *module = &modules, SUCCESS;
}

EXPORT int cuModuleUnload(void *module) {
	ENTER(cuModuleUnload);
	if (module != &modules || !modules) return INVALID_HANDLE;
	return modules--, SUCCESS;
}

EXPORT int cuModuleGetFunction(void **f, void *module, const char *name) {
	ENTER(cuModuleGetFunction);
	if (module != &modules || !modules) return INVALID_HANDLE;
	auto at = functions().find(name);
	if (at == functions().end()) return NOT_FOUND;
	return *f = &at->second, SUCCESS;
}

EXPORT int cuFuncGetAttribute(int *value, int attribute, void *f) {
	ENTER(cuFuncGetAttribute);
	if (!f) return INVALID_HANDLE;
	switch (attribute) {
	case FUNCTION_MAX_THREADS: return *value = MOST_THREADS, SUCCESS;
	case FUNCTION_SHARED: case FUNCTION_LOCAL: return *value = 0, SUCCESS;
	case FUNCTION_REGISTERS: return *value = 32, SUCCESS;
	case FUNCTION_MAX_SHARED: return *value = ((function *)f)->most_shared, SUCCESS;
	}
	return INVALID_VALUE;
}

EXPORT int cuFuncSetAttribute(void *f, int attribute, int value) {
	ENTER(cuFuncSetAttribute);
	if (!f) return INVALID_HANDLE;
	if (attribute != FUNCTION_MAX_SHARED || value < 0 || value > MOST_SHARED) return INVALID_VALUE;
	return ((function *)f)->most_shared = value, SUCCESS;
}

EXPORT int cuLaunchKernel(void *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, void *handle,
	void **params, void **extra) {
	ENTER(cuLaunchKernel);
	std::shared_ptr<stream> s = stream_of(handle);
	if (!f || !s) return INVALID_HANDLE;
	const function *kernel = (function *)f;
	operation o(LAUNCH, "cuLaunchKernel");
	o.kernel = kernel->kernel, o.grid = dim3(gx, gy, gz), o.block = dim3(bx, by, bz), o.shared = shared;
	if (extra || (!params && o.kernel->count) || !suits(o.grid, o.block) || shared > (unsigned)kernel->most_shared) return INVALID_VALUE;
	for (int i = 0; i < o.kernel->count; i++) {
		const unsigned char *value = (const unsigned char *)params[i];
		o.parameters.emplace_back(value, value + o.kernel->sizes[i]);
	}
	if (!s->recording) counts[PLAIN_LAUNCHES]++;
	return enqueue(s, std::move(o));
}
