// See stream.h.
#include "stream.h"

#include "access.h"
#include "graph.h"
#include "memory.h"
#include "report.h"

namespace emulator {

static size_t waiting; // operations in all queues

static int run_until(const std::shared_ptr<stream> &s, uint64_t count);

static int run_kernel(operation *o) {
	std::vector<void *> params;
	for (auto &p : o->parameters) params.push_back(p.data());
	launch l = {o->kernel, o->grid, o->block, o->shared, params.data()};
	return run_launch(&l) ? SUCCESS : broken();
}

static bool on_device(const void *p) { return (size_t)((const char *)p - device_range) < device_range_bytes; }

static int run_fill(const operation *o) {
	int error = check_range<WRITE>(o->call, o->out, o->bytes);
	if (!error) memset(o->out, o->value, o->bytes);
	return error;
}

static int run_copy(const operation *o) {
	const char *in = o->in ? o->in : (const char *)o->data.data();
	int error = on_device(in) ? check_range<READ>(o->call, in, o->bytes) : SUCCESS;
	if (!error && on_device(o->out)) error = check_range<WRITE>(o->call, o->out, o->bytes);
	if (!error) memcpy(o->out, in, o->bytes);
	return error;
}

template <access kind> static int check_ranges(const char *call, const std::vector<emulated_range> &ranges) {
	for (const emulated_range &r : ranges)
		for (size_t row = 0; row < r.rows; row++)
			if (int error = check_range<kind>(call, (const void *)(r.start + row * r.stride), r.bytes)) return error;
	return SUCCESS;
}

static int run_host_work(operation *o) {
	int error = check_ranges<READ>(o->call, o->reads);
	if (!error) error = check_ranges<WRITE>(o->call, o->writes);
	if (!error && (error = o->work(o->data.data()))) note_error(error, std::string(o->call) + " failed");
	return error;
}

static int run(stream *s, operation *o) {
	if (o->kind == WAIT) {
		if (int error = run_until(o->place->of, o->place->count)) return error;
		join(&s->seen, o->place->seen);
	}
	join(&s->seen, *o->asked);
	if (s->seen.size() <= s->timeline) s->seen.resize(s->timeline + 1);
	s->seen[s->timeline] = s->done;
	if (o->kind == WAIT) return SUCCESS;
	if (o->kind == RECORD) return o->place->seen = s->seen, SUCCESS;
	begin_operation(s->timeline, s->done, s->seen, o->kernel ? o->kernel->name : o->call);
	switch (o->kind) {
	case LAUNCH:
		return run_kernel(o);
	case FILL:
		return run_fill(o);
	case COPY:
		return run_copy(o);
	default:
		return run_host_work(o);
	}
}

int enqueue(const std::shared_ptr<stream> &s, operation o) {
	if (s->recording) return capture_operation(s, std::move(o));
	o.asked = host_clock();
	s->queue.push_back(std::move(o));
	waiting++;
	return SUCCESS;
}

static int run_until(const std::shared_ptr<stream> &s, uint64_t count) {
	while (s->done < count) {
		operation o = std::move(s->queue.front());
		s->queue.pop_front();
		waiting--;
		s->done++;
		if (int error = run(s.get(), &o)) return error;
	}
	return SUCCESS;
}

int wait_for(const std::shared_ptr<stream> &s) {
	int error = run_until(s, s->queued());
	if (!error) host_waited(s->seen, waiting == 0);
	return error;
}

int wait_for(const moment &m) {
	int error = run_until(m.of, m.count);
	if (!error) passed(m);
	return error;
}

void passed(const moment &m) { host_waited(m.seen, waiting == 0); }

}
