// What tests of the host ask of the driver by DRIVER_FAIL: call:code makes that call answer with the code; fault:code:call:value:limit:index
// puts a fault record on the device when a stream is waited for; count:1 hides the device, capability:7 makes it an old one.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "inject.h"

#include "../source/fault.h"

namespace emulator {

int counts[COUNTS];

int fails(const char *call) {
	const char *wish = getenv("DRIVER_FAIL");
	size_t n = strlen(call);
	return wish && !strncmp(wish, call, n) && wish[n] == ':' ? atoi(wish + n + 1) : 0;
}

// A program ends with a copy of its fault record to the host.
void plant_fault(const std::shared_ptr<stream> &s) {
	fault_record f = {};
	const char *wish = getenv("DRIVER_FAIL");
	if (!wish || s->queue.empty()) return;
	const operation *last = &s->queue.back();
	if (last->kind != COPY || !last->in || last->bytes != sizeof f) return;
	if (sscanf(wish, "fault:%d:%d:%d:%d:%d", &f.code, &f.call, &f.value, &f.limit, &f.index) != 5) return;
	operation copy(COPY, "DRIVER_FAIL");
	copy.out = (char *)last->in, copy.bytes = sizeof f;
	copy.data.assign((const unsigned char *)&f, (const unsigned char *)(&f + 1));
	s->queue.insert(s->queue.end() - 1, copy);
}

}
