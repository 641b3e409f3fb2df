// Cases of graphs, captured from one stream and from two.
#include "cases.h"

static void *instantiate(void *stream) {
	void *graph, *executable;
	check(cuStreamEndCapture(stream, &graph) == 0 && cuGraphInstantiateWithFlags(&executable, graph, 0) == 0);
	return executable;
}

static int one_stream() {
	address p = allocate(512), q = allocate(512);
	check(cuStreamBeginCapture_v2(a, 1) == 0 && launch("fill", a, p, 0) == 0 && launch("twice", a, q, p) == 0);
	check(cuStreamSynchronize(a) == 900);
	void *executable = instantiate(a);
	check(cuMemsetD8Async(q, 0, 512, a) == 0 && read(q, 1, a)[0] == 0); // a capture runs nothing
	for (int i = 0; i < 2; i++) {
		check(cuMemsetD8Async(q, 0, 512, a) == 0 && cuGraphLaunch(executable, a) == 0);
		check(read(q, 128, a)[127] == 6);
	}
	return 0;
}

// capture_fork captures fill(p) on a and twice(q, p) on b behind it; joined: a waits for b, and then twice(r, q) on a. Without
// forked, b does not wait for the fill.
static void capture_fork(address p, address q, address r, bool forked, bool joined) {
	check(cuStreamBeginCapture_v2(a, 1) == 0);
	if (!forked) check(cuEventRecord(event, a) == 0);
	check(launch("fill", a, p, 0) == 0);
	if (forked) check(cuEventRecord(event, a) == 0);
	check(cuStreamWaitEvent(b, event, 0) == 0 && launch("twice", b, q, p) == 0);
	if (!joined) return;
	void *end;
	check(cuEventCreate(&end, 0) == 0 && cuEventRecord(end, b) == 0 && cuStreamWaitEvent(a, end, 0) == 0);
	check(launch("twice", a, r, q) == 0);
}

static int fork_and_join() {
	address p = allocate(512), q = allocate(512), r = allocate(512);
	capture_fork(p, q, r, true, true);
	void *executable = instantiate(a);
	for (int i = 0; i < 3; i++) check(cuGraphLaunch(executable, a) == 0);
	check(read(r, 128, a)[127] == 12);
	check(launch("fill", b, q, 0) == 0); // b is a stream as before, and a was waited for
	return cuStreamSynchronize(b);
}

// The graph's own second stream is in order with the one it is launched on.
static int behind_a_graph() {
	address p = allocate(512), q = allocate(512), r = allocate(512);
	capture_fork(p, q, r, true, true);
	void *executable = instantiate(a);
	check(cuGraphLaunch(executable, a) == 0 && launch("fill", a, q, 0) == 0);
	check(cuStreamSynchronize(a) == 0 && cuGraphLaunch(executable, a) == 0);
	check(launch("fill", b, q, 0) == 0 && cuStreamSynchronize(a) == 0);
	return cuStreamSynchronize(b);
}

static int race_in_a_graph() {
	address p = allocate(512), q = allocate(512), r = allocate(512);
	check(launch("fill", a, p, 0) == 0 && cuStreamSynchronize(a) == 0);
	capture_fork(p, q, r, false, true);
	check(cuGraphLaunch(instantiate(a), a) == 0);
	return cuStreamSynchronize(a);
}

static int not_joined() {
	void *graph;
	capture_fork(allocate(512), allocate(512), 0, true, false);
	return cuStreamEndCapture(a, &graph);
}

static int ended_in_the_wrong_stream() {
	void *graph;
	capture_fork(allocate(512), allocate(512), 0, true, false);
	return cuStreamEndCapture(b, &graph);
}

static int waits_for_what_is_not_captured() {
	check(cuEventRecord(event, b) == 0 && cuStreamBeginCapture_v2(a, 1) == 0);
	return cuStreamWaitEvent(a, event, 0);
}

static int no_capture() {
	void *graph;
	return cuStreamEndCapture(a, &graph);
}

const std::vector<test> graph_cases = {
	{"one_stream", one_stream, 0, ""},
	{"fork_and_join", fork_and_join, 0, ""},
	{"behind_a_graph", behind_a_graph, 719, "fill, block (0,0,0), thread (0,0,0): "},
	{"race_in_a_graph", race_in_a_graph, 719, "twice, block (0,0,0)"},
	{"not_joined", not_joined, 904, ""},
	{"ended_in_the_wrong_stream", ended_in_the_wrong_stream, 903, ""},
	{"waits_for_what_is_not_captured", waits_for_what_is_not_captured, 905, ""},
	{"no_capture", no_capture, 401, ""},
};
