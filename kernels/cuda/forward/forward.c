// Linked as libcuda.a in front of gorgonia.org/cu, which calls cuInit when its package starts and ends the process if that
// fails: here it always succeeds, and the driver's own is called by forward_open.
#include "forward.h"

#include <dlfcn.h>
#include <stdio.h>

enum { SUCCESS = 0, NO_DEVICE = 100, NOT_FOUND = 500 };

static int no_device(void) { return NO_DEVICE; }
static int not_found(void) { return NOT_FOUND; }

int cuInit(unsigned flags) {
	(void)flags;
	return SUCCESS;
}

// A jump leaves the arguments where the caller put them, whatever they are.
#if defined(__x86_64__)
#define JUMP(name) #name ": jmp *forward_" #name "(%rip)\n"
#elif defined(__aarch64__)
#define JUMP(name) #name ": adrp x16, forward_" #name "\nldr x16, [x16, :lo12:forward_" #name "]\nbr x16\n"
#else
#error "the CUDA driver is there for x86-64 and AArch64 only"
#endif

#define SYMBOL(name)                                                                                          \
	void *forward_##name __attribute__((visibility("hidden"))) = (void *)no_device;                             \
	__asm__(".text\n.globl " #name "\n.type " #name ",%function\n" JUMP(name));
#include "symbols.inc"
#undef SYMBOL

// A driver too old to have a symbol answers that call with CUDA_ERROR_NOT_FOUND.
static void bind(void *driver) {
	void *symbol;
#define SYMBOL(name)                                                                                          \
	symbol = dlsym(driver, #name);                                                                              \
	forward_##name = symbol ? symbol : (void *)not_found;
#include "symbols.inc"
#undef SYMBOL
}

int forward_open(const char *path, char *error, int size) {
	void *driver = dlopen(path ? path : "libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
	int (*init)(unsigned);
	*(void **)&init = driver ? dlsym(driver, "cuInit") : NULL;
	if (!init) {
		snprintf(error, size, "%s", dlerror());
		return -1;
	}
	int code = init(0);
	if (code) {
		const char *name = NULL;
		int (*get_name)(int, const char **);
		*(void **)&get_name = dlsym(driver, "cuGetErrorName");
		if (get_name) get_name(code, &name);
		snprintf(error, size, "cuInit answers %d (%s)", code, name ? name : "no name");
		return code;
	}
	bind(driver);
	return SUCCESS;
}
