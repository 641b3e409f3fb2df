//go:build gpu

#include "staging.h"

CUresult gpu_staging_start(gpu_staging *s) {
	CUresult e = CUDA_SUCCESS;
	for (int i = 0; i < 2 && !e; i++) {
		e = cuEventCreate(&s->uploaded[i], CU_EVENT_DISABLE_TIMING);
		if (!e) e = cuEventCreate(&s->read[i], CU_EVENT_DISABLE_TIMING);
	}
	return e;
}

void gpu_staging_clear(gpu_staging *s) {
	for (int i = 0; i < 2; i++) {
		if (s->uploaded[i]) cuEventDestroy(s->uploaded[i]);
		if (s->read[i]) cuEventDestroy(s->read[i]);
		s->uploaded[i] = s->read[i] = NULL;
	}
}

// The host has waited for the run that read the area last, so it may fill it: at most one run is under way, and that reads the other.
CUresult gpu_stage(gpu *g, gpu_staging *s) {
	int area = s->next;
	CUresult e = cuStreamWaitEvent(g->copies, s->read[area], 0);
	if (!e) e = cuMemcpyHtoDAsync(s->device[area], s->host[area], s->bytes, g->copies);
	if (!e) e = cuEventRecord(s->uploaded[area], g->copies);
	if (!e) s->next = !area, s->waiting = 1;
	return e;
}

CUresult gpu_staging_take(gpu *g, const gpu_exchange *x) {
	gpu_staging *s = x->staging;
	int area = !s->next;
	if (!s->waiting) return cuMemcpyHtoDAsync(x->device, x->host, x->in, g->stream);
	s->waiting = 0;
	CUresult e = cuStreamWaitEvent(g->stream, s->uploaded[area], 0);
	if (!e) e = cuMemcpyDtoDAsync(x->device, s->device[area], x->in, g->stream);
	return e ? e : cuEventRecord(s->read[area], g->stream);
}
