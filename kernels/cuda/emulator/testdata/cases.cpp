// See cases.h.
#include "cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *a, *b, *event;
static void *module;

void check_that(bool so, const char *what, const char *file, int line) {
	if (so) return;
	printf("%s:%d: not so: %s\n", file, line, what);
	exit(1);
}

address allocate(size_t bytes) {
	address p;
	check(cuMemAlloc_v2(&p, bytes) == 0);
	return p;
}

int launch(const char *kernel, void *stream, address out, address in, unsigned blocks, unsigned shared, address word) {
	void *f;
	int64_t n = 128;
	void *params[] = {&out, &in, &n, &word};
	int error = cuModuleGetFunction(&f, module, kernel);
	return error ? error : cuLaunchKernel(f, blocks, 1, 1, 64, 1, 1, shared, stream, params, nullptr);
}

std::vector<float> read(address p, size_t n, void *stream) {
	std::vector<float> x(n);
	check(cuMemcpyDtoHAsync_v2(x.data(), p, 4 * n, stream) == 0);
	check(cuStreamSynchronize(stream) == 0);
	return x;
}

static void set_up() {
	void *context;
	check(cuInit(0) == 0 && cuDevicePrimaryCtxRetain(&context, 0) == 0 && cuCtxSetCurrent(context) == 0);
	check(cuModuleLoadData(&module, "") == 0);
	check(cuStreamCreate(&a, 1) == 0 && cuStreamCreate(&b, 1) == 0 && cuEventCreate(&event, 0) == 0);
}

static int run(const test &t) {
	set_up();
	int code = t.run();
	const char *words = "";
	if (code) cuGetErrorString(code, &words);
	printf("found: %d %s\n", code, code ? words : "");
	if (code == t.code && strstr(words, t.words)) return 0;
	printf("want %d with \"%s\"\n", t.code, t.words);
	return 1;
}

int main(int argc, char **argv) {
	for (const auto *cases : {&call_cases, &graph_cases, &language_cases})
		for (const test &t : *cases) {
			if (argc < 2) puts(t.name);
			else if (!strcmp(argv[1], t.name)) return run(t);
		}
	return argc < 2 ? 0 : 2;
}
