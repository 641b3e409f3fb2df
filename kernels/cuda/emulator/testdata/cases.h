// Tests of the emulated driver by its own calls, for what Go does not reach: captures over several streams, host work, threads,
// and the language of the kernels against plain loops. The program runs the case that its argument names, or lists them all.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <string>
#include <vector>

extern "C" {
int cuInit(unsigned);
int cuDevicePrimaryCtxRetain(void **, int);
int cuCtxSetCurrent(void *);
int cuCtxSynchronize();
int cuGetErrorString(int, const char **);
int cuMemAlloc_v2(unsigned long long *, size_t);
int cuMemFree_v2(unsigned long long);
int cuMemAllocHost_v2(void **, size_t);
int cuMemGetInfo_v2(size_t *, size_t *);
int cuMemsetD8Async(unsigned long long, unsigned char, size_t, void *);
int cuMemcpyHtoDAsync_v2(unsigned long long, const void *, size_t, void *);
int cuMemcpyDtoHAsync_v2(void *, unsigned long long, size_t, void *);
int cuMemcpyDtoDAsync_v2(unsigned long long, unsigned long long, size_t, void *);
int cuModuleLoadData(void **, const void *);
int cuModuleGetFunction(void **, void *, const char *);
int cuFuncSetAttribute(void *, int, int);
int cuLaunchKernel(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **, void **);
int cuStreamCreate(void **, unsigned);
int cuStreamSynchronize(void *);
int cuStreamQuery(void *);
int cuStreamWaitEvent(void *, void *, unsigned);
int cuEventCreate(void **, unsigned);
int cuEventRecord(void *, void *);
int cuEventQuery(void *);
int cuEventSynchronize(void *);
int cuStreamBeginCapture_v2(void *, int);
int cuStreamEndCapture(void *, void **);
int cuGraphInstantiateWithFlags(void **, void *, unsigned long long);
int cuGraphLaunch(void *, void *);
}

typedef unsigned long long address;

// A case ends with the code that its last wait answers, and with words that the report has where that is an error.
struct test {
	const char *name;
	int (*run)();
	int code;
	const char *words;
};
extern const std::vector<test> call_cases, graph_cases, language_cases;

// check ends the program where what it says is not so.
#define check(so) check_that(so, #so, __FILE__, __LINE__)
void check_that(bool so, const char *what, const char *file, int line);

// What every case has: a context, two streams, an event.
extern void *a, *b, *event;

address allocate(size_t bytes);

// launch queues a planted kernel: blocks of 64 threads, 128 floats.
int launch(const char *kernel, void *stream, address out, address in, unsigned blocks = 2, unsigned shared = 2048, address word = 0);

// read waits for the stream and copies floats from the device.
std::vector<float> read(address p, size_t n, void *stream);
