// For libraries that queue work of their own on the emulator's streams, as the emulated cublasLt does.
#pragma once

#include <stddef.h>

// Rows of bytes in device memory: row i begins at start + i * stride.
struct emulated_range {
	unsigned long long start;
	size_t bytes, rows, stride;
};

// What is to be done when its turn comes. context is a copy of the bytes that were queued with it. The result is a CUresult;
// one that is not 0 breaks the context, as an error of a kernel does.
typedef int emulated_host_work(void *context);

// emulated_queue_host_work queues work on a stream (a CUstream), or captures it. reads and writes are all the device memory that it
// touches: their bounds are checked, that what is read was written, and that no other stream uses them meanwhile. The answer is a
// CUresult. what is a word for reports, and stays where it is.
extern "C" int emulated_queue_host_work(void *stream, const char *what, emulated_host_work *work, const void *context, size_t context_bytes,
	const struct emulated_range *reads, size_t read_count, const struct emulated_range *writes, size_t write_count);
