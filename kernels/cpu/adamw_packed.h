// adamw.packed: AdamW of one weight, which it lays out for the products that will read it (FORMAT_TWICE), block by block while the new weights are in the
// second cache. The words of a block have the place of its gradient, which has been read then.
#ifndef ATOLL_ADAMW_PACKED_H
#define ATOLL_ADAMW_PACKED_H

#include "adamw.h"
#include "pack.h"

typedef struct {
	adamw_update update;
	int updates; // else the weights stay
	twice_job job;
} adamw_packed_job;

static void adamw_packed_body(void *arg, int64_t block, int worker) {
	const adamw_packed_job *j = arg;
	const int64_t elements = TWICE_ROWS * j->job.forward.count;
	if (j->updates) adamw_elements(&j->update, block * elements, (block + 1) * elements, 0);
	twice_body((void *)&j->job, block, worker);
}

// adamw_packed makes the words where the loss or the norm is not finite, too: what lies there after it is never a gradient.
static int adamw_packed(team *t, const atoll_call *c, void *const *arg, char *error) {
	const int64_t I = c->dims[0], O = c->dims[1];
	adamw_packed_job j = {adamw_settings(c->scalars, *(const float *)arg[5], arg[7]), finite_value(arg[5]) && finite_value(arg[6]),
		twice_of_weight(arg[3], arg[0], I, O, 0, t)};
	j.update.w = arg[0], j.update.m = arg[1], j.update.v = arg[2], j.update.g = arg[4];
	const size_t refused = twice_refused(&j.job);
	if (refused) return out_of_memory(error, refused);
	team_for(t, I / TWICE_ROWS, adamw_packed_body, &j);
	return 0;
}

#endif
