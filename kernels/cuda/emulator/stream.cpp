// See stream.h.
#include "stream.h"

#include "graph.h"
#include "report.h"

namespace emulator {

static int run_kernel(operation *o) {
	std::vector<void *> params;
	for (auto &p : o->parameters) params.push_back(p.data());
	launch l = {o->kernel, o->grid, o->block, o->shared, params.data()};
	return run_launch(&l) ? SUCCESS : broken();
}

static int run(operation *o) {
	switch (o->kind) {
	case LAUNCH:
		return run_kernel(o);
	case FILL:
		memset(o->out, o->value, o->bytes);
		return SUCCESS;
	case COPY:
		memcpy(o->out, o->in ? o->in : (const char *)o->data.data(), o->bytes);
		return SUCCESS;
	case HOST:
		return o->work(o->data.data());
	case RECORD:
		return SUCCESS;
	case WAIT:
		return run_until(o->place->of, o->place->count);
	}
	return LAUNCH_FAILED;
}

int enqueue(const std::shared_ptr<stream> &s, operation o) {
	if (s->recording) return capture_operation(s, std::move(o));
	s->queue.push_back(std::move(o));
	return SUCCESS;
}

int run_until(const std::shared_ptr<stream> &s, uint64_t count) {
	while (s->done < count) {
		operation o = std::move(s->queue.front());
		s->queue.pop_front();
		s->done++;
		if (int error = run(&o)) return error;
	}
	return SUCCESS;
}

}
