//go:build gpu

#include "staging.h"

#include <string.h>

// upload and download queue the copies of what the host gives and gets within a run. Where inputs are handed over ahead, they go in
// front of it (gpu_staging_take), since a graph cannot choose among areas.
static CUresult upload(const gpu *g, const gpu_program *p) {
	CUresult e = CUDA_SUCCESS;
	for (const gpu_exchange *x = p->exchanges; x < p->exchanges + p->exchange_count && !e; x++)
		if (x->in && !x->staging) e = cuMemcpyHtoDAsync(x->device, x->host, x->in, g->stream);
	return e;
}

static CUresult download(const gpu *g, const gpu_program *p) {
	CUresult e = CUDA_SUCCESS;
	for (const gpu_exchange *x = p->exchanges; x < p->exchanges + p->exchange_count && !e; x++)
		if (x->out < x->size) e = cuMemcpyDtoHAsync(x->host + x->out, x->device + x->out, x->size - x->out, g->stream);
	return e;
}

// replay queues all calls, between the fault record's reset and its copy to the host, and between the copies of the exchanges. each:
// wait after every call, so that an error is known to be that call's.
static CUresult replay(gpu *g, const gpu_program *p, int each) {
	CUresult e = gpu_zero(g, g->faults, sizeof(fault_record));
	if (!e) e = upload(g, p);
	for (int64_t i = 0; i < p->count && !e; i++) {
		const gpu_bound *b = &p->calls[i];
		g->call = i;
		e = gpu_kernels[b->call.kernel].launch(g, &b->call, b->arg);
		if (!e && each) e = cuStreamSynchronize(g->stream);
	}
	if (e) return e;
	g->call = -1;
	if ((e = download(g, p))) return e;
	return cuMemcpyDtoHAsync(g->seen, g->faults, sizeof(fault_record), g->stream);
}

// capture records the program in a graph. A launcher may call something that the driver does not capture; then there is no
// graph and the device is as it was before.
static CUresult capture(gpu *g, gpu_program *p) {
	CUgraph graph = NULL;
	CUresult e = cuStreamBeginCapture(g->stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
	if (e) return e;
	e = replay(g, p, 0);
	CUresult ended = cuStreamEndCapture(g->stream, &graph);
	if (!e) e = ended;
	if (!e) e = cuGraphInstantiateWithFlags(&p->graph, graph, 0);
	if (e) p->graph = NULL;
	if (graph) cuGraphDestroy(graph);
	p->scratch = g->scratch_version;
	return e;
}

void gpu_program_clear(gpu_program *p) {
	if (p->graph) cuGraphExecDestroy(p->graph);
	p->graph = NULL;
}

static CUresult take(gpu *g, const gpu_program *p) {
	CUresult e = CUDA_SUCCESS;
	for (const gpu_exchange *x = p->exchanges; x < p->exchanges + p->exchange_count && !e; x++)
		if (x->staging) e = gpu_staging_take(g, x);
	return e;
}

static CUresult start(gpu *g, gpu_program *p) {
	if (p->graph && p->scratch != g->scratch_version) gpu_program_clear(p);
	if (!p->graph && p->ran && !p->refused && !g->stepwise) p->refused = capture(g, p) != CUDA_SUCCESS;
	memset(&g->failure, 0, sizeof g->failure); // of a capture that was refused
	g->call = -1;
	CUresult e = take(g, p);
	if (e) return e;
	if (p->graph) return cuGraphLaunch(p->graph, g->stream);
	return replay(g, p, g->stepwise || !p->ran);
}

static int outcome(gpu *g, CUresult e) {
	g->failure.code = e, g->failure.call = g->call;
	return e == CUDA_SUCCESS;
}

int gpu_start(gpu *g, gpu_program *p) {
	CUresult e = start(g, p);
	p->ran = 1;
	return outcome(g, e);
}

int gpu_wait(gpu *g) { return outcome(g, cuStreamSynchronize(g->stream)); }

const gpu_failure *gpu_failed(const gpu *g) { return &g->failure; }
