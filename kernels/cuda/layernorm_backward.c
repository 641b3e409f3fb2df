//go:build gpu

#include "cut.h"
#include "launchers.h"

enum { DX, DG, DB, DY, X, G, MEAN, RSTD, DRES, STEP };
enum { THREADS = 384, VALUES = 8, RESIDENT = 768, SUM_THREADS = 256 }; // RESIDENT threads are on a processor at once

// How the kernel is cut: a block takes `groups` rows at once, and keeps on. Rows wider than a block are cut in slices.
typedef struct {
	int groups;
	unsigned threads;
	gpu_grid grid;
	size_t averages, bytes; // of the workspace: averages of rows, then [grid.x, 2, C] sums
} cut;

static cut cut_of(const gpu *g, const atoll_call *c) {
	int64_t N = c->dims[0], C = c->dims[1], width = threads_for(pieces(C, VALUES), THREADS);
	cut k = {.groups = (int)(THREADS / width)};
	k.threads = (unsigned)(k.groups * width);
	k.grid.y = (unsigned)pieces(C, width * VALUES), k.grid.z = 1;
	int64_t most = larger((int64_t)gpu_processors(g) * (RESIDENT / k.threads) / larger(k.grid.y, 1), 1);
	k.grid.x = (unsigned)larger(smaller(pieces(N, k.groups), most), 1);
	k.averages = k.grid.y > 1 ? whole_256(N * 2 * (int64_t)sizeof(float)) : 0;
	k.bytes = k.averages + whole_256((int64_t)k.grid.x * 2 * C * (int64_t)sizeof(float));
	return k;
}

size_t layernorm_backward_workspace(const gpu *g, const atoll_call *c) { return cut_of(g, c).bytes; }

static int is_wide(const atoll_call *c, const CUdeviceptr *arg) {
	CUdeviceptr address[] = {arg[DX], arg[DY], arg[X], arg[G], arg[DRES]};
	return whole_packs(c->dims[1], c->precision) && aligned(address, 5);
}

// launch_dx queues the kernel of dx and of the partial sums, behind that of the averages where rows are cut.
static CUresult launch_dx(gpu *g, const atoll_call *c, const CUdeviceptr *arg, cut k) {
	CUdeviceptr dx = arg[DX], dy = arg[DY], x = arg[X], gain = arg[G], mean = arg[MEAN], rstd = arg[RSTD], dres = arg[DRES];
	CUdeviceptr averages = k.averages ? gpu_scratch(g) : 0, partials = arg[DG] || arg[DB] ? gpu_scratch(g) + k.averages : 0;
	int64_t N = c->dims[0];
	int C = (int)c->dims[1], wide = is_wide(c, arg);
	float share = 1.0f / (float)C;
	char room[GPU_NAME_BYTES];
	if (averages) {
		void *params[] = {&averages, &dy, &x, &gain, &mean, &rstd, &N, &C, &share};
		const char *stem = wide ? "layernorm_backward_wide_averages" : "layernorm_backward_averages";
		CUresult e = gpu_launch(g, gpu_name(room, stem, c->precision), spread(g, N, 1), THREADS, 32 * sizeof(float), params);
		if (e) return e;
	}
	void *params[] = {&dx, &partials, &dy, &x, &gain, &mean, &rstd, &dres, &averages, &N, &C, &k.groups, &share};
	unsigned shared = 2 * 32 * 2 * sizeof(float) + k.threads * VALUES * sizeof(float);
	const char *stem = wide ? "layernorm_backward_wide" : "layernorm_backward";
	return gpu_launch(g, gpu_name(room, stem, c->precision), k.grid, k.threads, shared, params);
}

CUresult launch_layernorm_backward(gpu *g, const atoll_call *c, const CUdeviceptr *arg) {
	CUdeviceptr dg = arg[DG], db = arg[DB], step = arg[STEP];
	if (c->dims[1] == 0) return CUDA_SUCCESS;
	if (c->dims[1] > MOST) return CUDA_ERROR_INVALID_VALUE;
	cut k = cut_of(g, c);
	CUresult e = launch_dx(g, c, arg, k);
	if (e || (!dg && !db)) return e;
	CUdeviceptr partials = gpu_scratch(g) + k.averages;
	int blocks = (int)k.grid.x, C = (int)c->dims[1], mode = (int)c->dims[2];
	void *params[] = {&dg, &db, &partials, &blocks, &C, &mode, &step};
	gpu_grid grid = {(unsigned)pieces(C, 32), 2, 1};
	return gpu_launch(g, "layernorm_backward_sums", grid, SUM_THREADS, SUM_THREADS * sizeof(float), params);
}
