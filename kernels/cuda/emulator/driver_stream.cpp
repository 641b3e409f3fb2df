// The driver's calls on streams, events and graphs.
#include <set>

#include "driver.h"
#include "memory.h"
#include "report.h"

namespace emulator {

static std::set<stream_handle *> streams;
static std::set<event_handle *> events;

std::shared_ptr<stream> stream_of(void *handle) {
	return streams.count((stream_handle *)handle) ? ((stream_handle *)handle)->of : nullptr;
}

bool others_busy(const stream *s) {
	for (stream_handle *other : streams)
		if (other->of.get() != s && !other->of->queue.empty()) return true;
	return false;
}

int run_all() {
	for (stream_handle *s : streams)
		if (int error = wait_for(s->of)) return error;
	return SUCCESS;
}

}

using namespace emulator;

EXPORT int cuStreamCreate(void **s, unsigned flags) {
	ENTER(cuStreamCreate);
	if (flags != STREAM_NON_BLOCKING) return INVALID_VALUE;
	stream_handle *handle = new stream_handle{std::make_shared<stream>()};
	streams.insert(handle);
	return *s = handle, SUCCESS;
}

EXPORT int cuStreamDestroy_v2(void *handle) {
	ENTER(cuStreamDestroy_v2);
	std::shared_ptr<stream> s = stream_of(handle);
	if (!s) return INVALID_HANDLE;
	streams.erase((stream_handle *)handle);
	delete (stream_handle *)handle;
	return wait_for(s);
}

EXPORT int cuStreamSynchronize(void *handle) {
	ENTER(cuStreamSynchronize);
	std::shared_ptr<stream> s = stream_of(handle);
	if (!s) return INVALID_HANDLE;
	if (s->recording) return CAPTURE_UNSUPPORTED;
	counts[WAITS]++;
	plant_fault(s);
	return wait_for(s);
}

EXPORT int cuStreamQuery(void *handle) {
	ENTER(cuStreamQuery);
	std::shared_ptr<stream> s = stream_of(handle);
	if (!s) return INVALID_HANDLE;
	if (s->recording || !s->queue.empty()) return s->recording ? CAPTURE_UNSUPPORTED : NOT_READY;
	return wait_for(s);
}

EXPORT int cuStreamWaitEvent(void *handle, void *event, unsigned flags) {
	ENTER(cuStreamWaitEvent);
	std::shared_ptr<stream> s = stream_of(handle);
	if (!s || !events.count((event_handle *)event)) return INVALID_HANDLE;
	if (flags > 1) return INVALID_VALUE;
	if (forgets("cuStreamWaitEvent")) return SUCCESS;
	if (!((event_handle *)event)->last) return SUCCESS;
	return capture_wait(s, ((event_handle *)event)->last);
}

EXPORT int cuEventCreate(void **event, unsigned) {
	ENTER(cuEventCreate);
	event_handle *handle = new event_handle;
	events.insert(handle);
	return *event = handle, SUCCESS;
}

EXPORT int cuEventDestroy_v2(void *event) {
	ENTER(cuEventDestroy_v2);
	if (!events.erase((event_handle *)event)) return INVALID_HANDLE;
	delete (event_handle *)event;
	return SUCCESS;
}

EXPORT int cuEventRecord(void *event, void *handle) {
	ENTER(cuEventRecord);
	std::shared_ptr<stream> s = stream_of(handle);
	if (!s || !events.count((event_handle *)event)) return INVALID_HANDLE;
	operation o(RECORD, "cuEventRecord");
	o.place = std::make_shared<moment>();
	o.place->of = s, o.place->count = s->queued() + 1;
	((event_handle *)event)->last = o.place;
	return enqueue(s, std::move(o));
}

EXPORT int cuEventQuery(void *event) {
	ENTER(cuEventQuery);
	if (!events.count((event_handle *)event)) return INVALID_HANDLE;
	const moment *last = ((event_handle *)event)->last.get();
	if (last && last->in) return CAPTURE_UNSUPPORTED;
	if (!last || last->of->done < last->count) return last ? NOT_READY : SUCCESS;
	return passed(*last), SUCCESS;
}

EXPORT int cuEventSynchronize(void *event) {
	ENTER(cuEventSynchronize);
	if (!events.count((event_handle *)event)) return INVALID_HANDLE;
	const moment *last = ((event_handle *)event)->last.get();
	if (last && last->in) return CAPTURE_UNSUPPORTED;
	counts[WAITS]++;
	return last ? wait_for(*last) : SUCCESS;
}

EXPORT int cuStreamBeginCapture_v2(void *handle, int) {
	ENTER(cuStreamBeginCapture_v2);
	std::shared_ptr<stream> s = stream_of(handle);
	if (!s) return INVALID_HANDLE;
	counts[CAPTURES]++;
	return capture_begin(s);
}

// A capture that a test wants to fail ends all the same.
EXPORT int cuStreamEndCapture(void *handle, void **out) {
	std::lock_guard<std::recursive_mutex> guard(driver_lock);
	std::shared_ptr<stream> s = stream_of(handle);
	graph *g = nullptr;
	int ended = s ? capture_end(s, &g) : INVALID_HANDLE;
	int code = enter("cuStreamEndCapture", true);
	if (code) delete g, g = nullptr;
	counts[UNFREED] += g != nullptr;
	return *out = g, code ? code : ended;
}

EXPORT int cuGraphInstantiateWithFlags(void **out, void *of, unsigned long long flags) {
	ENTER(cuGraphInstantiateWithFlags);
	if (flags) return INVALID_VALUE;
	counts[UNFREED]++;
	return *out = new executable{*(graph *)of, {}}, SUCCESS;
}

EXPORT int cuGraphLaunch(void *of, void *handle) {
	ENTER(cuGraphLaunch);
	std::shared_ptr<stream> s = stream_of(handle);
	if (!s) return INVALID_HANDLE;
	if (s->recording) return NOT_SUPPORTED;
	counts[GRAPH_LAUNCHES]++;
	return launch_graph((executable *)of, s);
}

EXPORT int cuGraphDestroy(void *of) {
	ENTER_WITHOUT_CONTEXT(cuGraphDestroy);
	counts[UNFREED]--;
	return delete (graph *)of, SUCCESS;
}

EXPORT int cuGraphExecDestroy(void *of) {
	ENTER_WITHOUT_CONTEXT(cuGraphExecDestroy);
	counts[UNFREED]--;
	return delete (executable *)of, SUCCESS;
}

EXPORT int emulated_queue_host_work(void *handle, const char *what, emulated_host_work *work, const void *context, size_t context_bytes,
	const emulated_range *reads, size_t read_count, const emulated_range *writes, size_t write_count) {
	std::lock_guard<std::recursive_mutex> guard(driver_lock);
	std::shared_ptr<stream> s = stream_of(handle);
	if (!s) return INVALID_HANDLE;
	operation o(HOST, what);
	o.work = work;
	o.data.assign((const unsigned char *)context, (const unsigned char *)context + context_bytes);
	o.reads.assign(reads, reads + read_count);
	o.writes.assign(writes, writes + write_count);
	return enqueue(s, std::move(o));
}
