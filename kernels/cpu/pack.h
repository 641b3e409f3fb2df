// pack: a weight is laid out for the products that will read it, by a call of its own or by a product that would pack it many times.
#ifndef ATOLL_PACK_H
#define ATOLL_PACK_H

#include "checks.h"
#include "gemm_chunk.h"
#include "quantize.h"

// weight_operand is w as the second operand of a product over its first side (w [K,N]), or over its second (w [N,K]).
inl gemm_operand weight_operand(const void *w, int64_t N, int64_t K, int second) {
	return (gemm_operand){w, second ? K : N, N, K, DT_F32, !second};
}

PACKER(pack_panels, LINE)

// PACK_PANELS panels are made at once, so that what is read of a row of w is some lines together.
enum { PACK_PANELS = 4 };

typedef struct {
	gemm_operand w;
	float *words;
	int64_t panel, panels; // words of a panel, and how many there are
	int64_t format;
	team *team;
} pack_job;

// pair_steps makes words of bf16 from a panel of fp32.
static void pair_steps(float *to, const float *from, int64_t K) {
	for (int64_t k = 0; k < K; k += 2, to += LINE)
		for (int g = 0; g < LINE; g += VL) {
			const vu first = vround_bf16(vload(from + k * LINE + g)) >> 16;
			vstore(to + g, (vf)(k + 1 < K ? first | vround_bf16(vload(from + (k + 1) * LINE + g)) : first));
		}
}

static size_t pack_scratch(const pack_job *j) { return (size_t)(larger(j->w.depth, 1) * LINE * PACK_PANELS) * sizeof(float); }

// twice_block lays a block of TWICE_ROWS rows of w out in FORMAT_TWICE, at its place in words: forward is w as linear's second operand, and back as
// linear.dx's. room is for LINE columns of the longer side.
static void twice_block(float *words, const gemm_operand *forward, const gemm_operand *back, int64_t block, float *room) {
	const int64_t O = forward->count, row = block * TWICE_ROWS, panel = O / 2 * LINE;
	float *to = words + row * O;
#ifdef NATIVE_BF16
	(void)room;
	pack_panels(to, forward, DT_BF16, 0, O / LINE, GROUP_WORDS, row, TWICE_ROWS);
	pack_panels(to + 2 * panel, back, DT_BF16, row, 2, panel, 0, O);
#else
	for (int64_t j = 0; j < O; j += LINE) {
		pack_panels(room, forward, DT_F32, j, 1, 0, row, TWICE_ROWS);
		pair_steps(to + j * GROUP_LINES, room, TWICE_ROWS);
	}
	for (int p = 0; p < 2; p++) {
		pack_panels(room, back, DT_F32, row + p * LINE, 1, 0, 0, O);
		pair_steps(to + (2 + p) * panel, room, O);
	}
#endif
}

typedef struct {
	float *words;
	gemm_operand forward, back;
	team *team;
} twice_job;

// twice_of_weight is the job of laying w [I,O] out, or w [O,I] where transposed.
inl twice_job twice_of_weight(float *words, const void *w, int64_t I, int64_t O, int transposed, team *t) {
	return (twice_job){words, weight_operand(w, O, I, transposed), weight_operand(w, I, O, !transposed), t};
}

static size_t twice_room(const twice_job *j) { return (size_t)(larger(TWICE_ROWS, j->forward.count) * LINE) * sizeof(float); }

// twice_refused is 0 where all workers have room, else the bytes that one was refused.
static size_t twice_refused(const twice_job *j) {
	for (int worker = 0; worker < team_size(j->team); worker++)
		if (!team_scratch(j->team, worker, twice_room(j))) return twice_room(j);
	return 0;
}

static void twice_body(void *arg, int64_t block, int worker) {
	const twice_job *j = arg;
	twice_block(j->words, &j->forward, &j->back, block, team_scratch(j->team, worker, twice_room(j)));
}

static void pack_body(void *arg, int64_t i, int worker) {
	const pack_job *j = arg;
	const int64_t K = j->w.depth, first = i * PACK_PANELS, panels = smaller(PACK_PANELS, j->panels - first);
	float *to = j->words + first * j->panel;
	if (j->format == FORMAT_F32) {
		pack_panels(to, &j->w, DT_F32, first * LINE, panels, j->panel, 0, K);
		return;
	}
	float *from = team_scratch(j->team, worker, pack_scratch(j));
	pack_panels(from, &j->w, DT_F32, first * LINE, panels, K * LINE, 0, K);
	for (int64_t p = 0; p < panels; p++, to += j->panel, from += K * LINE) {
		if (j->format == FORMAT_BF16) pair_steps(to, from, K);
		else quantize_panel(to, from, K);
	}
}

// pack_into lays w out at words.
static int pack_into(float *words, const gemm_operand *w, int64_t format, team *t, char *error) {
	pack_job j = {*w, words, packed_weight_of(words, w->depth, format).panel, packed_panels(w->count), format, t};
	for (int worker = 0; worker < team_size(t) && format != FORMAT_F32; worker++)
		if (!team_scratch(t, worker, pack_scratch(&j))) return out_of_memory(error, pack_scratch(&j));
	team_for(t, pieces(j.panels, PACK_PANELS), pack_body, &j);
	return 0;
}

// packed = w in the format
static int pack_weight(team *t, const atoll_call *c, void *const *arg, char *error) {
	if (c->dims[3] == FORMAT_TWICE) {
		twice_job j = twice_of_weight(arg[0], arg[1], c->dims[0], c->dims[1], c->dims[2] != 0, t);
		const size_t refused = twice_refused(&j);
		if (refused) return out_of_memory(error, refused);
		team_for(t, c->dims[0] / TWICE_ROWS, twice_body, &j);
		return 0;
	}
	const gemm_operand w = weight_operand(arg[1], c->dims[1], c->dims[0], c->dims[2] != 0);
	return pack_into(arg[0], &w, c->dims[3], t, error);
}

// pack_before packs the columns b of a product that takes them through several chunks of rows, each of which would pack them for itself. Only AMX
// multiplies so fast that this is worth the trip to memory: from three chunks on, and from two where packing reads rows of b a line at a time.
// 1,024 rows are two chunks (AMX_STAY): packed before, their dx was at 0.96 to 1.03 of its speed with two threads.
// The words lie in the team's shared memory, behind its first beside bytes, a multiple of a line.
static int pack_before(gemm *g, team *t, size_t beside, char *error) {
	if (!by_amx(g) || in_parts(g) || g->packed.words || fewest_row_chunks(g) < (g->b.by_depth ? 2 : 3)) return 0;
	const size_t bytes = (size_t)(packed_weight_of(NULL, g->b.depth, FORMAT_BF16).panel * packed_panels(g->b.count)) * sizeof(float);
	char *memory = team_shared(t, beside + bytes);
	if (!memory) return out_of_memory(error, beside + bytes);
	g->packed = packed_weight_of(memory + beside, g->b.depth, FORMAT_BF16);
	return pack_into((float *)(memory + beside), &g->b, FORMAT_BF16, t, error);
}

#endif
