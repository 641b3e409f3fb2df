// Cases of memory, streams, events, threads and host work.
#include <string.h>

#include <thread>

#include "../queue.h"
#include "cases.h"

static int nothing_runs_early() {
	address p = allocate(512);
	float *pinned;
	check(cuMemAllocHost_v2((void **)&pinned, 512) == 0);
	pinned[0] = 7;
	check(launch("fill", a, p, 0) == 0);
	check(cuMemcpyDtoHAsync_v2(pinned, p, 512, a) == 0);
	check(pinned[0] == 7 && cuStreamQuery(a) == 600);
	check(cuStreamSynchronize(b) == 0 && pinned[0] == 7);
	check(cuStreamSynchronize(a) == 0 && pinned[0] == 3 && pinned[127] == 3 && cuStreamQuery(a) == 0);
	return 0;
}

// What is pinned is read when the copy runs; what is not, at once.
static int copies_to_the_device() {
	address p = allocate(8);
	float *pinned, pageable = 1;
	check(cuMemAllocHost_v2((void **)&pinned, 4) == 0);
	*pinned = 1;
	check(cuMemcpyHtoDAsync_v2(p, pinned, 4, a) == 0 && cuMemcpyHtoDAsync_v2(p + 4, &pageable, 4, a) == 0);
	*pinned = 2, pageable = 2;
	std::vector<float> x = read(p, 2, a);
	check(x[0] == 2 && x[1] == 1);
	address q = allocate(8);
	check(cuMemcpyDtoDAsync_v2(q, p, 8, a) == 0 && read(q, 2, a) == x);
	return 0;
}

static int bounds_of_calls() {
	address p = allocate(100);
	float x;
	check(cuMemsetD8Async(p, 0, 101, a) == 1 && cuMemsetD8Async(p + 100, 0, 1, a) == 1 && cuMemsetD8Async(p, 0, 100, a) == 0);
	check(cuMemcpyDtoHAsync_v2(&x, p + 97, 4, a) == 1 && cuMemcpyHtoDAsync_v2((address)&x, &x, 4, a) == 1);
	check(cuMemFree_v2(p + 1) == 1 && cuMemFree_v2(p) == 0 && cuMemFree_v2(p) == 1);
	return 0;
}

static int memory_has_an_end() {
	size_t available, total;
	check(cuMemGetInfo_v2(&available, &total) == 0 && total == (size_t)4 << 30 && available == total);
	address p, q;
	check(cuMemAlloc_v2(&p, total / 2 + 1) == 0 && cuMemAlloc_v2(&q, total / 2) == 2);
	check(cuMemFree_v2(p) == 0 && cuMemAlloc_v2(&q, total) == 0 && cuMemGetInfo_v2(&available, &total) == 0 && available == 0);
	return 0;
}

static int freed_under_a_copy() {
	address p = allocate(512);
	check(cuMemsetD8Async(p, 0, 512, a) == 0 && cuMemFree_v2(p) == 0);
	return cuStreamSynchronize(a);
}

static int download_of_unwritten() {
	address p = allocate(512);
	float x;
	check(cuMemsetD8Async(p, 0, 508, a) == 0);
	return cuMemcpyDtoHAsync_v2(&x, p + 508, 4, a);
}

static int broken_for_good() {
	address p = allocate(512);
	check(launch("beyond_end", a, p, 0, 3) == 0);
	check(cuStreamSynchronize(a) == 700 && cuStreamSynchronize(b) == 700 && cuMemFree_v2(p) == 700);
	return cuMemsetD8Async(p, 0, 1, b);
}

static int other_thread() {
	int code = 0;
	std::thread([&code] { code = cuStreamSynchronize(a); }).join();
	return code;
}

// More than 48 KB of shared memory must be asked for.
static int much_shared_memory() {
	address p = allocate(512), in = allocate(512);
	check(cuMemsetD8Async(in, 0, 512, a) == 0);
	void *module, *f;
	check(cuModuleLoadData(&module, "") == 0 && cuModuleGetFunction(&f, module, "faultless") == 0);
	check(launch("faultless", a, p, in, 2, 48 << 10) == 0 && launch("faultless", a, p, in, 2, (48 << 10) + 1) == 1);
	check(cuFuncSetAttribute(f, 8, (227 << 10) + 1) == 1 && cuFuncSetAttribute(f, 8, 227 << 10) == 0);
	check(launch("faultless", a, p, in, 2, 227 << 10) == 0);
	return cuStreamSynchronize(a);
}

static int wrong_launches() {
	void *module, *f;
	check(cuModuleLoadData(&module, "") == 0 && cuModuleGetFunction(&f, module, "no such kernel") == 500);
	check(launch("fill", a, 0, 0, 0) == 1 && launch("fill", nullptr, 0, 0) == 400);
	return 0;
}

static int event_orders() {
	address p = allocate(512), q = allocate(512);
	check(launch("fill", a, p, 0) == 0 && cuEventRecord(event, a) == 0 && cuEventQuery(event) == 600);
	check(cuStreamWaitEvent(b, event, 0) == 0 && launch("twice", b, q, p) == 0);
	check(read(q, 128, b)[127] == 6 && cuEventQuery(event) == 0);
	check(launch("twice", a, p, q) == 0); // b was waited for
	return cuStreamSynchronize(a);
}

// An event orders what lies before its record, not what comes behind it in the same stream.
static int event_too_early() {
	address p = allocate(512), q = allocate(512);
	check(cuEventRecord(event, a) == 0 && launch("fill", a, p, 0) == 0 && cuStreamWaitEvent(b, event, 0) == 0);
	check(launch("twice", b, q, p) == 0);
	check(cuEventSynchronize(event) == 0 && cuStreamSynchronize(a) == 0);
	return cuStreamSynchronize(b);
}

static int two_readers_then_a_writer() {
	address p = allocate(512), q = allocate(512), r = allocate(512);
	check(launch("fill", a, p, 0) == 0 && cuStreamSynchronize(a) == 0);
	check(launch("twice", a, q, p) == 0 && launch("twice", b, r, p) == 0 && launch("fill", b, p, 0) == 0);
	check(cuEventRecord(event, a) == 0 && cuEventSynchronize(event) == 0);
	return cuStreamSynchronize(b);
}

struct doubling {
	float *to;
	const float *from;
};

static int double_it(void *context) {
	const doubling *d = (const doubling *)context;
	for (int i = 0; i < 128; i++) d->to[i] = 2 * d->from[i];
	return 0;
}

static int queue_doubling(void *stream, address to, address from, size_t bytes) {
	doubling d = {(float *)to, (const float *)from};
	emulated_range reads = {from, bytes, 1, 0}, writes = {to, 64, 8, 64};
	return emulated_queue_host_work(stream, "doubling", double_it, &d, sizeof d, &reads, 1, &writes, 1);
}

static int host_work() {
	address p = allocate(512), q = allocate(512), r = allocate(512);
	check(launch("fill", a, p, 0) == 0 && queue_doubling(a, q, p, 512) == 0 && launch("twice", a, r, q) == 0);
	check(read(r, 128, a)[127] == 12);
	void *graph, *executable;
	check(cuStreamBeginCapture_v2(a, 1) == 0 && queue_doubling(a, q, r, 512) == 0 && queue_doubling(a, r, q, 512) == 0);
	check(cuStreamEndCapture(a, &graph) == 0 && cuGraphInstantiateWithFlags(&executable, graph, 0) == 0);
	for (float want : {48, 192}) check(cuGraphLaunch(executable, a) == 0 && read(r, 128, a)[5] == want);
	return 0;
}

static int host_work_out_of_bounds() {
	address p = allocate(512), q = allocate(512);
	check(launch("fill", a, p, 0) == 0 && queue_doubling(a, q, p, 513) == 0);
	return cuStreamSynchronize(a);
}

static int host_work_out_of_order() {
	address p = allocate(512), q = allocate(512);
	check(launch("fill", a, p, 0) == 0 && queue_doubling(b, q, p, 512) == 0 && cuStreamSynchronize(a) == 0);
	return cuStreamSynchronize(b);
}

static int host_work_fails() {
	check(emulated_queue_host_work(a, "a product", [](void *) { return 719; }, "", 0, nullptr, 0, nullptr, 0) == 0);
	return cuStreamSynchronize(a);
}

const std::vector<test> call_cases = {
	{"nothing_runs_early", nothing_runs_early, 0, ""},
	{"copies_to_the_device", copies_to_the_device, 0, ""},
	{"bounds_of_calls", bounds_of_calls, 0, ""},
	{"memory_has_an_end", memory_has_an_end, 0, ""},
	{"freed_under_a_copy", freed_under_a_copy, 700, "cuMemsetD8Async: writes 512 bytes at allocation 1 + 0 of 512 bytes that were freed"},
	{"download_of_unwritten", download_of_unwritten, 719, "cuMemcpyDtoHAsync: reads 4 bytes at allocation 1 + 508 of 512 bytes, and nothing wrote there"},
	{"broken_for_good", broken_for_good, 700, "beyond_end, block (2,0,0)"},
	{"other_thread", other_thread, 201, ""},
	{"much_shared_memory", much_shared_memory, 0, ""},
	{"wrong_launches", wrong_launches, 0, ""},
	{"event_orders", event_orders, 0, ""},
	{"event_too_early", event_too_early, 719, "which fill writes, and no event"},
	{"two_readers_then_a_writer", two_readers_then_a_writer, 719, "which twice reads, and no event"},
	{"host_work", host_work, 0, ""},
	{"host_work_out_of_bounds", host_work_out_of_bounds, 700, "doubling: reads 513 bytes at allocation 1 + 0 of 512 bytes"},
	{"host_work_out_of_order", host_work_out_of_order, 719, "doubling: reads 512 bytes at allocation 1 + 0 of 512 bytes, which fill writes"},
	{"host_work_fails", host_work_fails, 719, "a product failed"},
};
