// head.loss: the language head with its cross-entropy and both gradients, R rows at a time, so that the logits of the
// whole batch never exist.
#ifndef ATOLL_HEAD_LOSS_H
#define ATOLL_HEAD_LOSS_H

#include "embed.h"
#include "linear.h"

typedef struct {
	float *logits;          // [rows,V] of the chunk, ld floats from row to row; becomes dlogits
	const int32_t *targets; // of the chunk
	float *losses;          // of the chunk's rows
	int64_t V, ld;
	float scale;
	int gradient; // whether dlogits is wanted
} loss_rows;

// softmax_row replaces logits by e^(logit - max) and gives their sum; the maximum is put in *top. Sums of 64 vectors are
// added to the whole, so that the error does not grow with V.
static float softmax_row(float *logits, int64_t V, float *top) {
	vf most = vset(-__builtin_inff());
	int64_t i = 0;
	for (; i + VL <= V; i += VL) most = vmax(most, vload(logits + i));
	float max = vmax_lanes(most);
	for (; i < V; i++) max = max > logits[i] ? max : logits[i];
	*top = max;
	vf sum = vzero();
	for (int64_t from = 0; from < V; from += 64 * VL) {
		const int64_t end = smaller(V, from + 64 * VL);
		vf part = vzero();
		for (i = from; i + SIDE_BY_SIDE * VL <= end; i += SIDE_BY_SIDE * VL) part = vexp_rows(logits + i, VL, vset(1), vset(max), part, SIDE_BY_SIDE);
		for (; i + VL <= end; i += VL) part = vexp_rows(logits + i, VL, vset(1), vset(max), part, 1);
		if (i < end) {
			vf e = vexp(vload_n(logits + i, end - i) - vset(max));
			vstore_n(logits + i, e, end - i);
			part += vload_n(logits + i, end - i); // without the lanes beyond V
		}
		sum += part;
	}
	return vsum(sum);
}

// loss_row turns the logits of one row into its loss and dlogits = (softmax - onehot(target)) * scale.
static void loss_row(void *arg, int64_t row, int worker) {
	const loss_rows *h = arg;
	float *logits = h->logits + row * h->ld;
	const int32_t target = h->targets[row];
	(void)worker;
	if (target < 0) {
		h->losses[row] = 0;
		memset(logits, 0, (size_t)h->V * sizeof *logits);
		return;
	}
	float max, of_target = logits[target], sum = softmax_row(logits, h->V, &max);
	h->losses[row] = vlog(vset(sum))[0] + (max - of_target);
	if (!h->gradient) return;
	const float p = logits[target] / sum, factor = h->scale / sum;
	for (int64_t i = 0; i < h->V; i += VL) vstore_to(logits, i, vload_to(logits, i, h->V) * vset(factor), h->V);
	logits[target] = (p - 1) * h->scale;
}

// What a call of head.loss is about; h and dh begin at the chunk's first row.
typedef struct {
	void *dh;
	float *dwte, *logits;
	const void *h;
	const float *wte;
	int64_t C, V, ld;
	uint32_t precision;
	double *squares;         // of dwte's tiles; NULL: they are not wanted
	const uint64_t *without; // as gemm's
} head_call;

// head_gradients computes dh = dlogits·wte and dwte (+)= dlogitsᵀ·h for the rows of a chunk.
static int head_gradients(const head_call *c, int64_t rows, int accumulate, team *t, char *error) {
	const gemm_operand dlogits = {c->logits, c->ld, rows, c->V, DT_F32, 0}, across = {c->logits, c->ld, c->V, rows, DT_F32, 1};
	linear_dx_outputs outputs = {.dx = c->dh};
	gemm dh = {dlogits, weight_operand(c->wte, c->C, c->V, 0), .precision = c->precision, .store = linear_dx_store, .context = &outputs,
		.stored = {c->dh}, .stored_size = act_size(c->precision)};
	gemm dwte = {across, {c->h, c->C, c->C, rows, c->precision, 1}, .precision = c->precision, .store = plain_store, .plain = c->dwte,
		.addend = accumulate ? c->dwte : NULL, .stored = {c->dwte}, .stored_size = sizeof *c->dwte};
	dwte.squares = c->squares, dwte.without = c->without;
	if (c->precision == DT_F32) dh.plain = c->dh;
	if (c->dh && gemm_run(&dh, t, error)) return 1;
	return c->dwte ? gemm_run(&dwte, t, error) : 0;
}

// head_chunk does rows rows from c->h on.
static int head_chunk(const head_call *c, loss_rows *r, int64_t rows, int accumulate, team *t, char *error) {
	gemm g = {row_operand(c->h, rows, c->C, c->precision), weight_operand(c->wte, c->V, c->C, 1), .precision = c->precision,
		.store = plain_store, .plain = c->logits, .stored = {c->logits}, .stored_size = sizeof *c->logits, .ld = c->ld};
	if (gemm_run(&g, t, error)) return 1;
	team_for(t, rows, loss_row, r);
	return r->gradient ? head_gradients(c, rows, accumulate, t, error) : 0;
}

// What head.loss.norm wants besides: sums for the tiles of dwte, and the rows whose squares are left out.
typedef struct {
	double *squares; // NULL: nothing
	uint64_t *without;
	int64_t tiles, words;
} head_norm;

// head_norm_of lays that out in shared memory, behind the losses that head_loss_with asks for; squares is NULL without memory.
static head_norm head_norm_of(team *t, const atoll_call *c, const int32_t *tokens) {
	const int64_t N = c->dims[0], V = c->dims[2];
	const gemm dwte = {.a = {.count = V}, .b = {.count = c->dims[1]}, .precision = c->precision};
	head_norm h = {NULL, NULL, tiles_of(&dwte), pieces(V, 64)};
	const size_t losses = (size_t)pieces(N + 1, 16) * 64;
	char *memory = team_shared(t, losses + (size_t)(h.tiles + h.words) * 8);
	if (!memory) return h;
	h.squares = (double *)(memory + losses);
	h.without = (uint64_t *)(h.squares + h.tiles);
	set_bits(h.without, h.words, tokens, N);
	return h;
}

static int head_loss_with(team *t, const atoll_call *call, void *const *arg, const head_norm *norm, char *error) {
	const int64_t N = call->dims[0], C = call->dims[1], V = call->dims[2], R = call->dims[3], ld = call->dims[4];
	float *loss = arg[0], *rows = arg[1];
	const int32_t *targets = arg[6];
	const float *step = arg[7];
	if (check_indexes("target", targets, N, 1, "V", V, error)) return 1;
	float *losses = team_shared(t, (size_t)(N + 1) * sizeof(float));
	if (!losses) return out_of_memory(error, (size_t)(N + 1) * sizeof(float));
	const int64_t row_bytes = C * act_size(call->precision);
	int accumulate = accumulates(call->dims[6], step);
	int64_t n = 0;
	do { // once even for no rows: dwte is written then too
		head_call c = {arg[2] ? (char *)arg[2] + n * row_bytes : NULL, arg[3], arg[8], (const char *)arg[4] + n * row_bytes, arg[5],
			C, V, ld, call->precision, n + R >= N ? norm->squares : NULL, norm->without};
		loss_rows r = {arg[8], targets + n, losses + n, V, ld, step[STEP_LOSS_SCALE], arg[2] || arg[3]};
		if (head_chunk(&c, &r, smaller(R, N - n), accumulate, t, error)) return 1;
		accumulate = 1;
		n += R;
	} while (n < N);
	double sum = 0;
	for (n = 0; n < N; n++) sum += losses[n];
	const double total = sum * (double)step[STEP_LOSS_SCALE];
	loss[0] = accumulates(call->dims[5], step) ? (float)(loss[0] + total) : (float)total;
	if (rows) memcpy(rows, losses, (size_t)N * sizeof(float));
	return 0;
}

static int head_loss(team *t, const atoll_call *c, void *const *arg, char *error) {
	const head_norm none = {0};
	return head_loss_with(t, c, arg, &none, error);
}

// The last chunk's dwte is the whole one: its tiles' squares are taken as they are stored, without the rows to which embed.backward will add.
static int head_loss_norm(team *t, const atoll_call *c, void *const *arg, char *error) {
	if (check_indexes("token", arg[9], c->dims[0], 0, "V", c->dims[2], error)) return 1;
	const head_norm norm = head_norm_of(t, c, arg[9]);
	if (!norm.squares) return out_of_memory(error, (size_t)(norm.tiles + norm.words) * 8);
	memset(norm.squares, 0, (size_t)norm.tiles * sizeof *norm.squares);
	if (head_loss_with(t, c, arg, &norm, error)) return 1;
	double total = 0;
	for (int64_t i = 0; i < norm.tiles; i++) total += norm.squares[i];
	*(float *)arg[10] = (float)__builtin_sqrt(total);
	return 0;
}

#endif
