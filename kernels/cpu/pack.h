// pack: a weight is laid out for the products that will read it.
#ifndef ATOLL_PACK_H
#define ATOLL_PACK_H

#include "linear.h"
#include "quantize.h"

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

// packed = w in the format
static int pack_weight(team *t, const atoll_call *c, void *const *arg, char *error) {
	const int64_t I = c->dims[0], O = c->dims[1], format = c->dims[3];
	pack_job j = {weight_operand(arg[1], O, I, c->dims[2] != 0), arg[0], packed_weight_of(arg[0], I, format).panel, packed_panels(O), format, t};
	for (int w = 0; w < team_size(t) && format != FORMAT_F32; w++)
		if (!team_scratch(t, w, pack_scratch(&j))) return out_of_memory(error, pack_scratch(&j));
	team_for(t, pieces(j.panels, PACK_PANELS), pack_body, &j);
	return 0;
}

#endif
