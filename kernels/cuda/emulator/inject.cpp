// See inject.h.
#include "inject.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../source/fault.h"
#include "report.h"

namespace emulator {

int counts[COUNTS];

// calls counts from when DRIVER_FAIL changed.
static const char *wish_and_calls(int **calls) {
	static std::string last;
	static int since;
	const char *wish = getenv("DRIVER_FAIL");
	if (!wish) wish = "";
	if (last != wish) last = wish, since = 0;
	*calls = &since;
	return wish;
}

int fails(const char *call) {
	int *calls, code = 0, turn = 0;
	const char *wish = wish_and_calls(&calls);
	size_t n = strlen(call);
	if (strncmp(wish, call, n) || wish[n] != ':') return 0;
	int fields = sscanf(wish + n, ":%d:%d", &code, &turn);
	return fields < 2 || ++*calls == turn ? code : 0;
}

bool forgets(const char *call) {
	int *calls;
	return wish_and_calls(&calls) == std::string("forget:") + call;
}

void lose_device(const char *call) {
	int *launches, code, most;
	if (sscanf(wish_and_calls(&launches), "lost:%d:%d", &code, &most) != 2) return;
	if (*launches >= most) note_error(code, "the device was lost after " + std::to_string(most) + " launches, as DRIVER_FAIL wants it");
	if (!strcmp(call, "cuLaunchKernel") || !strcmp(call, "cuGraphLaunch")) ++*launches;
}

// A program ends with a copy of its fault record to the host: this one is what that copy brings then.
void plant_fault(const std::shared_ptr<stream> &s) {
	fault_record f = {};
	const char *wish = getenv("DRIVER_FAIL");
	if (!wish || s->queue.empty()) return;
	operation *last = &s->queue.back();
	if (last->kind != COPY || !last->in || last->bytes != sizeof f) return;
	if (sscanf(wish, "fault:%d:%d:%d:%d:%d", &f.code, &f.call, &f.value, &f.limit, &f.index) != 5) return;
	last->in = nullptr;
	last->data.assign((const unsigned char *)&f, (const unsigned char *)(&f + 1));
}

}
