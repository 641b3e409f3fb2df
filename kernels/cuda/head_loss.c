//go:build gpu

// head.loss: the language head with its cross-entropy and both gradients, R rows at a time: logits by a product, one kernel that
// turns them into losses and dlogits where they lie, two more products.
#include "cut.h"
#include "launchers.h"
#include "product.h"
#include "source/head_loss.h"

enum { LOSS, ROWS, DH, DWTE, H, WTE, TARGETS, STEP, LOGITS };

// A call, and where its things lie. GPT-2's vocabulary is odd, and halves in rows of 50257 are read one by one; so logits and the
// rounded wte have columns columns, a multiple of 64, and what is added to wte is 0. Logits are in the workspace where the rows
// of their room are not as far apart, and the rounded wte always is.
typedef struct {
	const atoll_call *call;
	const CUdeviceptr *arg;
	int64_t N, C, V, R, columns, wte_stride;
	int half, gradient;
	CUdeviceptr logits, wte, losses, workspace; // workspace: of the products
} head;

static int64_t size(const head *t) { return t->half ? 2 : 4; }

// place lays out the workspace at start and gives its size without that of the products.
static size_t place(head *t, CUdeviceptr start) {
	CUdeviceptr at = start;
	int room = t->call->dims[4] == t->columns && t->call->dims[3] > 0 && t->call->args[LOGITS] % 16 == 0; // segments begin at multiples of 256
	t->logits = room ? t->arg[LOGITS] : at;
	if (!room) at += whole_256(smaller(t->R, t->N) * t->columns * 4);
	t->wte = t->half ? at : t->arg[WTE];
	if (t->half) at += whole_256(t->columns * t->wte_stride * 2);
	t->losses = t->arg[ROWS] ? t->arg[ROWS] : at;
	if (!t->arg[ROWS]) at += whole_256(t->N * 4);
	t->workspace = at;
	return (size_t)(at - start);
}

static head head_of(const atoll_call *c, const CUdeviceptr *arg) {
	head t = {.call = c, .arg = arg, .N = c->dims[0], .C = c->dims[1], .V = c->dims[2], .R = larger(c->dims[3], 1)};
	t.columns = pieces(t.V, 64) * 64;
	t.half = c->precision != DT_F32;
	t.wte_stride = t.half ? pieces(t.C, 8) * 8 : t.C;
	t.gradient = arg[DH] || arg[DWTE];
	return t;
}

// width is how many columns of logits take part in products.
static int64_t width(const head *t) { return t->half ? t->columns : t->V; }

// logits = h·wteᵀ of the rows from n on.
static product logits_product(const head *t, int64_t n, int64_t rows) {
	uint32_t precision = t->call->precision;
	return (product){.M = rows, .N = width(t), .K = t->C, .a = t->arg[H] + n * t->C * size(t), .b = t->wte, .c = t->logits, .b_transposed = 1,
		.b_stride = t->wte_stride, .c_stride = t->columns, .a_type = precision, .b_type = precision, .c_type = DT_F32, .precision = precision,
		.workspace = t->workspace};
}

// dh = dlogits·wte. Rows of dlogits begin where rows of logits do, which are twice as long as halves.
static product dh_product(const head *t, int64_t n, int64_t rows) {
	uint32_t precision = t->call->precision;
	return (product){.M = rows, .N = t->C, .K = width(t), .a = t->logits, .b = t->wte, .c = t->arg[DH] + n * t->C * size(t),
		.a_stride = t->columns * 4 / size(t), .b_stride = t->wte_stride, .a_type = precision, .b_type = precision, .c_type = precision,
		.precision = precision, .workspace = t->workspace};
}

// whole is how many tokens dwte has in its first product. For 50257 of them, which is no multiple of 8, cublasLt has the kernels of an
// A100 alone, which take an H200 750 us where its own would take 450; those behind the last multiple of 64 get another product.
static int64_t whole(const head *t) { return t->half ? t->V / 64 * 64 : t->V; }

// dwte (+)= dlogitsᵀ·h, of the tokens from first to end-1: the first chunk as the call's mode says, and the others add.
static product dwte_product(const head *t, int64_t n, int64_t rows, int64_t first, int64_t end) {
	uint32_t precision = t->call->precision;
	return (product){.M = end - first, .N = t->C, .K = rows, .a = t->logits + first * size(t), .b = t->arg[H] + n * t->C * size(t),
		.c = t->arg[DWTE] + first * t->C * 4, .a_transposed = 1, .a_stride = t->columns * 4 / size(t), .a_type = precision, .b_type = precision, .c_type = DT_F32,
		.precision = precision, .mode = n == 0 ? (int)t->call->dims[6] : MODE_ACCUMULATE, .step = t->arg[STEP], .fixed_rows = 1,
		.workspace = t->workspace};
}

// products_workspace is the most that a product of so many rows wants.
static size_t products_workspace(const gpu *g, const head *t, int64_t rows) {
	const product all[] = {logits_product(t, 0, rows), dh_product(t, 0, rows), dwte_product(t, 0, rows, 0, whole(t)),
		dwte_product(t, 0, rows, whole(t), t->V)};
	size_t most = 0;
	for (int i = 0; i < 4; i++) {
		size_t wanted = gpu_product_workspace(g, &all[i]);
		if (wanted > most) most = wanted;
	}
	return most;
}

size_t head_loss_workspace(const gpu *g, const atoll_call *c) {
	CUdeviceptr arg[ATOLL_MAX_ARGS];
	for (int i = 0; i < ATOLL_MAX_ARGS; i++) arg[i] = c->args[i] != UINT64_MAX; // only whether they are there counts
	head t = head_of(c, arg);
	size_t own = place(&t, 0), full = products_workspace(g, &t, smaller(t.R, t.N)), last = products_workspace(g, &t, t.N % t.R);
	return own + (full > last ? full : last);
}

// round_wte makes the rounded wte, once a call.
static CUresult round_wte(gpu *g, const head *t) {
	if (!t->half) return CUDA_SUCCESS;
	CUresult e = gpu_cast(g, t->wte, t->arg[WTE], t->V, t->C, t->wte_stride, t->C, t->call->precision);
	return e ? e : gpu_zero(g, t->wte + t->V * t->wte_stride * 2, (size_t)((t->columns - t->V) * t->wte_stride * 2));
}

// losses_of has one block turn each of the chunk's logits into losses and dlogits.
static CUresult losses_of(gpu *g, const head *t, int64_t n, int64_t rows) {
	int64_t packs = larger(t->columns * size(t) / 16, 1), threads = pieces(pieces(packs, pieces(packs, HEAD_THREADS)), 32) * 32;
	int64_t tile_bytes = threads * 16 / size(t) * 4, ld = t->columns;
	CUdeviceptr logits = t->logits, targets = t->arg[TARGETS] + n * 4, losses = t->losses + n * 4, step = t->arg[STEP];
	CUdeviceptr faults = gpu_faults(g);
	int V = (int)t->V, columns = (int)t->columns, first = (int)n, gradient = t->gradient, call = gpu_call_index(g);
	int kept = gradient ? (int)smaller(HEAD_KEPT_BYTES / tile_bytes, pieces(packs, threads)) : 0;
	char room[GPU_NAME_BYTES];
	void *params[] = {&logits, &ld, &targets, &losses, &step, &V, &columns, &first, &kept, &gradient, &faults, &call};
	return gpu_launch(g, gpu_name(room, "head_loss", t->call->precision), (gpu_grid){(unsigned)rows, 1, 1}, (unsigned)threads,
		(unsigned)(HEAD_ROOM_BYTES + kept * tile_bytes), params);
}

// gradient_of_wte queues the products of dwte for the rows from n on.
static CUresult gradient_of_wte(gpu *g, const head *t, int64_t n, int64_t rows) {
	const product most = dwte_product(t, n, rows, 0, whole(t)), rest = dwte_product(t, n, rows, whole(t), t->V);
	CUresult e = most.M ? gpu_product(g, &most) : CUDA_SUCCESS;
	return e || !rest.M ? e : gpu_product(g, &rest);
}

static CUresult chunk(gpu *g, const head *t, int64_t n, int64_t rows) {
	const product logits = logits_product(t, n, rows), dh = dh_product(t, n, rows);
	CUresult e = rows ? gpu_product(g, &logits) : CUDA_SUCCESS;
	if (!e && rows) e = losses_of(g, t, n, rows);
	if (!e && t->arg[DH]) e = gpu_product(g, &dh);
	return e || !t->arg[DWTE] ? e : gradient_of_wte(g, t, n, rows);
}

static CUresult sum(gpu *g, const head *t) {
	CUdeviceptr loss = t->arg[LOSS], losses = t->losses, step = t->arg[STEP];
	int64_t N = t->N;
	int mode = (int)t->call->dims[5];
	void *params[] = {&loss, &losses, &N, &mode, &step};
	unsigned threads = (unsigned)smaller(larger(pieces(N, 32), 1) * 32, 1024);
	return gpu_launch(g, "head_loss_sum", (gpu_grid){1, 1, 1}, threads, HEAD_ROOM_BYTES, params);
}

CUresult launch_head_loss(gpu *g, const atoll_call *c, const CUdeviceptr *arg) {
	head t = head_of(c, arg);
	place(&t, gpu_scratch(g));
	CUresult e = round_wte(g, &t);
	int64_t n = 0;
	do { // without rows a gradient is still stored: 0
		int64_t rows = smaller(t.R, t.N - n);
		if (!e) e = chunk(g, &t, n, rows);
		n += rows;
	} while (n < t.N && !e);
	return e ? e : sum(g, &t);
}
