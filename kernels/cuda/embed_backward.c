//go:build gpu

#include "cut.h"
#include "launchers.h"

enum { DWTE, DWPE, DOUT, TOKENS, STEP };
enum { THREADS = 256, PIECE = 32, TILE = 1024 }; // keys that a warp sums; the most that a block sorts

// The workspace: keys twice, since a merge does not work in place, and [pieces,2,C] sums.
typedef struct {
	size_t keys, bytes;
} room;

static room room_of(const atoll_call *c) {
	int64_t N = c->dims[0] * c->dims[1];
	room r = {.keys = whole_256(N * (int64_t)sizeof(uint64_t))};
	r.bytes = 2 * r.keys + whole_256(pieces(N, PIECE) * 2 * c->dims[2] * (int64_t)sizeof(float));
	return r;
}

size_t embed_backward_workspace(const gpu *g, const atoll_call *c) {
	(void)g;
	return room_of(c).bytes;
}

// order_tokens queues what brings the keys of N rows in order: sorted tiles, then merges of twice the length each. keys are two
// places; the first has the result.
static CUresult order_tokens(gpu *g, const atoll_call *c, CUdeviceptr tokens, CUdeviceptr keys[2]) {
	int N = (int)(c->dims[0] * c->dims[1]), tile = 64, call = gpu_call_index(g);
	int64_t V = c->dims[3];
	CUdeviceptr fault = gpu_faults(g);
	while (tile < N && tile < TILE) tile *= 2;
	void *params[] = {&keys[0], &tokens, &N, &V, &fault, &call};
	gpu_grid grid = {(unsigned)pieces(N, tile), 1, 1};
	CUresult e = gpu_launch(g, "token_order_tiles", grid, (unsigned)tile / 2, (unsigned)tile * sizeof(uint64_t), params);
	for (int length = tile; length < N && !e; length *= 2) {
		void *merge[] = {&keys[1], &keys[0], &N, &length};
		e = gpu_launch(g, "token_order_merge", (gpu_grid){(unsigned)pieces(N, THREADS), 1, 1}, THREADS, 0, merge);
		CUdeviceptr merged = keys[1];
		keys[1] = keys[0], keys[0] = merged;
	}
	return e;
}

// sum_tokens queues the sums for dwte of rows in the order of keys: those of pieces, then of tokens that lie in several.
static CUresult sum_tokens(gpu *g, const atoll_call *c, const CUdeviceptr *arg, CUdeviceptr keys, CUdeviceptr parts, int wide) {
	CUdeviceptr dwte = arg[DWTE], dout = arg[DOUT], step = arg[STEP];
	int N = (int)(c->dims[0] * c->dims[1]), C = (int)c->dims[2], mode = (int)c->dims[5];
	int64_t size = c->precision == DT_F32 ? 4 : 8, count = pieces(N, PIECE), warps = THREADS / 32;
	char name[GPU_NAME_BYTES];
	void *params[] = {&dwte, &parts, &dout, &keys, &N, &C, &mode, &step};
	gpu_name(name, wide ? "embed_backward_pieces_wide" : "embed_backward_pieces", c->precision);
	gpu_grid grid = {(unsigned)pieces(count, warps), (unsigned)pieces(C, 32 * size), 1};
	CUresult e = gpu_launch(g, name, grid, THREADS, 0, params);
	if (e || count == 1) return e;
	void *rest[] = {&dwte, &parts, &keys, &N, &C, &mode, &step};
	grid.y = (unsigned)pieces(C, 32 * 4);
	return gpu_launch(g, wide ? "embed_backward_parts_wide" : "embed_backward_parts", grid, THREADS, 0, rest);
}

static CUresult sum_positions(gpu *g, const atoll_call *c, const CUdeviceptr *arg, int wide) {
	CUdeviceptr dwpe = arg[DWPE], dout = arg[DOUT], step = arg[STEP];
	int B = (int)c->dims[0], T = (int)c->dims[1], C = (int)c->dims[2], mode = (int)c->dims[6];
	int64_t size = c->precision == DT_F32 ? 4 : 8;
	gpu_grid grid = {(unsigned)c->dims[4], (unsigned)pieces(C, 32 * size), 1};
	if (grid.x == 0) return CUDA_SUCCESS;
	char name[GPU_NAME_BYTES];
	void *params[] = {&dwpe, &dout, &B, &T, &C, &mode, &step};
	gpu_name(name, wide ? "embed_backward_positions_wide" : "embed_backward_positions", c->precision);
	return gpu_launch(g, name, grid, THREADS, THREADS * (unsigned)size * sizeof(float), params);
}

static CUresult zero_tokens(gpu *g, const atoll_call *c, const CUdeviceptr *arg) {
	CUdeviceptr dwte = arg[DWTE], step = arg[STEP];
	int64_t n = c->dims[3] * c->dims[2];
	int mode = (int)c->dims[5], wide = aligned(&dwte, 1);
	if (mode == MODE_ACCUMULATE || n == 0) return CUDA_SUCCESS;
	void *params[] = {&dwte, &n, &mode, &step, &wide};
	return gpu_launch(g, "embed_backward_zero", spread(g, n, THREADS * 4), THREADS, 0, params);
}

CUresult launch_embed_backward(gpu *g, const atoll_call *c, const CUdeviceptr *arg) {
	int64_t B = c->dims[0], N = B * c->dims[1], C = c->dims[2];
	if (B > MOST || N > MOST || C > MOST || c->dims[4] > MOST) return CUDA_ERROR_INVALID_VALUE;
	room r = room_of(c);
	CUdeviceptr scratch = gpu_scratch(g), keys[] = {scratch, scratch + r.keys}, address[] = {arg[DWTE], arg[DWPE], arg[DOUT]};
	int wide = whole_packs(C, c->precision) && aligned(address, 3);
	CUresult e = zero_tokens(g, c, arg);
	if (!e && C > 0) e = sum_positions(g, c, arg, wide);
	if (!e && N > 0) e = order_tokens(g, c, arg[TOKENS], keys);
	if (!e && N > 0 && C > 0) e = sum_tokens(g, c, arg, keys[0], scratch + 2 * r.keys, wide);
	return e;
}
