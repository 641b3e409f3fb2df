// The driver's calls on memory: allocation, fills and copies.
#include "driver.h"
#include "memory.h"

using namespace emulator;

typedef unsigned long long device_address;

EXPORT int cuMemGetInfo_v2(size_t *available, size_t *total) {
	ENTER(cuMemGetInfo_v2);
	*total = memory_total();
	*available = *total > memory_used() ? *total - memory_used() : 0;
	return SUCCESS;
}

EXPORT int cuMemAlloc_v2(device_address *p, size_t bytes) {
	ENTER(cuMemAlloc_v2);
	if (bytes == 0) return INVALID_VALUE;
	*p = (device_address)allocate(bytes);
	return *p ? SUCCESS : OUT_OF_MEMORY;
}

EXPORT int cuMemFree_v2(device_address p) {
	ENTER(cuMemFree_v2);
	return release((char *)p) ? SUCCESS : INVALID_VALUE;
}

EXPORT int cuMemAllocHost_v2(void **p, size_t bytes) {
	ENTER(cuMemAllocHost_v2);
	return (*p = pin(bytes)) ? SUCCESS : OUT_OF_MEMORY;
}

EXPORT int cuMemFreeHost(void *p) {
	ENTER(cuMemFreeHost);
	return unpin(p) ? SUCCESS : INVALID_VALUE;
}

// fill queues the value, of so many bytes, n times.
static int fill(const char *call, device_address p, int value, size_t bytes, void *handle) {
	std::shared_ptr<stream> s = stream_of(handle);
	if (!s || !allocation_of((char *)p, bytes)) return s ? INVALID_VALUE : INVALID_HANDLE;
	operation o(FILL, call);
	o.out = (char *)p, o.bytes = bytes, o.value = value;
	return enqueue(s, std::move(o));
}

EXPORT int cuMemsetD8Async(device_address p, unsigned char value, size_t bytes, void *handle) {
	ENTER(cuMemsetD8Async);
	return fill("cuMemsetD8Async", p, value, bytes, handle);
}

// What is not pinned is copied at once, as the driver does with memory that may be moved or given back meanwhile.
EXPORT int cuMemcpyHtoDAsync_v2(device_address p, const void *host, size_t bytes, void *handle) {
	ENTER(cuMemcpyHtoDAsync_v2);
	std::shared_ptr<stream> s = stream_of(handle);
	if (!s || !allocation_of((char *)p, bytes)) return s ? INVALID_VALUE : INVALID_HANDLE;
	counts[OVERLAPPED] += others_busy(s.get());
	operation o(COPY, "cuMemcpyHtoDAsync");
	o.out = (char *)p, o.bytes = bytes;
	if (pinned_at(host, bytes)) o.in = (const char *)host;
	else o.data.assign((const unsigned char *)host, (const unsigned char *)host + bytes);
	return enqueue(s, std::move(o));
}

// A copy to memory that is not pinned is done when the call returns.
EXPORT int cuMemcpyDtoHAsync_v2(void *host, device_address p, size_t bytes, void *handle) {
	ENTER(cuMemcpyDtoHAsync_v2);
	std::shared_ptr<stream> s = stream_of(handle);
	if (!s || !allocation_of((char *)p, bytes)) return s ? INVALID_VALUE : INVALID_HANDLE;
	operation o(COPY, "cuMemcpyDtoHAsync");
	o.out = (char *)host, o.in = (const char *)p, o.bytes = bytes;
	int error = enqueue(s, std::move(o));
	return error || s->recording || pinned_at(host, bytes) ? error : wait_for(s);
}

EXPORT int cuMemcpyDtoDAsync_v2(device_address to, device_address from, size_t bytes, void *handle) {
	ENTER(cuMemcpyDtoDAsync_v2);
	std::shared_ptr<stream> s = stream_of(handle);
	if (!s) return INVALID_HANDLE;
	if (!allocation_of((char *)to, bytes) || !allocation_of((char *)from, bytes)) return INVALID_VALUE;
	operation o(COPY, "cuMemcpyDtoDAsync");
	o.out = (char *)to, o.in = (const char *)from, o.bytes = bytes;
	return enqueue(s, std::move(o));
}
