// What the driver's calls have in common: a lock, the context, and what its handles stand for.
#pragma once

#include <memory>
#include <mutex>

#include "codes.h"
#include "graph.h"
#include "inject.h"
#include "stream.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

// ENTER begins a call: one at a time. Where the context is not current on this thread, or broken, or a test wants the call to fail,
// it answers with that. ENTER_WITHOUT_CONTEXT is for calls that need none.
#define ENTER(call)                                                                                           \
	std::lock_guard<std::recursive_mutex> guard(emulator::driver_lock);                                         \
	if (int code = emulator::enter(#call, true)) return code
#define ENTER_WITHOUT_CONTEXT(call)                                                                           \
	std::lock_guard<std::recursive_mutex> guard(emulator::driver_lock);                                         \
	if (int code = emulator::enter(#call, false)) return code

namespace emulator {

extern std::recursive_mutex driver_lock;

int enter(const char *call, bool with_context);

// A handle of a stream: what CUstream points to.
struct stream_handle {
	std::shared_ptr<stream> of;
};

struct event_handle {
	std::shared_ptr<moment> last; // null: it was not recorded
};

// stream_of is null where the handle is none of a stream.
std::shared_ptr<stream> stream_of(void *handle);

// others_busy is whether a stream beside s has something to do.
bool others_busy(const stream *s);

// run_all runs all streams.
int run_all();

}
