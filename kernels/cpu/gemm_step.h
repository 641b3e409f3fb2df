// A worker's place in its chunk of a product's output, and what it does with a tile there.
#ifndef ATOLL_GEMM_STEP_H
#define ATOLL_GEMM_STEP_H

#include "gemm_plan.h"

// fetches_of is what packing elements j..j+n-1 of an operand at the depths k..k+kc-1 will read. Its rows are far apart, which the
// processor does not foresee by itself.
inl fetches fetches_of(const gemm_operand *p, int64_t j, int64_t n, int64_t k, int64_t kc) {
	const int64_t size = p->dtype == DT_F32 ? 4 : 2, line = 64 / size, inside = at_least_0(smaller(n, p->count - j));
	const int64_t rows = p->by_depth ? kc : inside, width = p->by_depth ? inside : kc, lines = pieces(at_least_0(width), line);
	const char *start = p->start;
	return (fetches){start + (p->by_depth ? k * p->ld + j : j * p->ld + k) * size, p->ld * size, lines, 0, at_least_0(rows) * lines};
}

// A tile whose sums are finished, and of which done rows have gone through the store function.
typedef struct {
	const gemm *g;
	int64_t m, n, rows, columns, done;
	const float *tile;
} unstored_tile;

// store_rows stores some rows more, and then takes the tile's squares where they are wanted.
static void store_rows(unstored_tile *u, int64_t rows) {
	const gemm *g = u->g;
	rows = smaller(rows, u->rows - u->done);
	if (rows <= 0) return;
	g->store(g, u->m + u->done, u->n, rows, u->columns, u->tile + u->done * NR);
	u->done += rows;
	if (u->done == u->rows) take_squares(g, u->m, u->n, u->rows, u->columns);
}

// Where a worker stands in its chunk: elements from..end-1 of both sides, and a block of K.
typedef struct {
	int64_t from[2], end[2], panels[2], stride[2]; // panels, whose last may not be whole; stride: floats from one to the next where they are packed
	int64_t block, k, kc;
	float *at[2], *sums; // at: where panels are packed
	fetches ahead;       // what is packed after this block
	int64_t share;       // lines of it for each tile
	unstored_tile before;
	int64_t rows_at_once; // of before, beside a tile of AMX
} gemm_step;

// store_some stores some rows of the tile before.
static void store_some(void *of) {
	gemm_step *s = of;
	store_rows(&s->before, s->rows_at_once);
}

// stored_at is the place of a tile in one of the tensors that its store is about.
inl tile_place stored_at(const gemm *g, int which, int64_t m, int64_t n, int64_t rows) {
	const int64_t size = g->stored_size, at = m * g->ld + n;
	return (tile_place){(const char *)g->stored[which] + at * size, g->ld * size, g->stored[which] ? rows : 0};
}

// prefetch_sums fetches what the blocks before this one have summed: a chunk's sums are more than the nearer caches hold.
inl void prefetch_sums(const float *sums, int64_t rows) {
	for (int64_t i = 0; i < rows * NR; i += 16) __builtin_prefetch(sums + i, 1, 3);
}

// fetches_next tells whether a tile fetches the places of the one after it in place of its own: tiles of AMX that store themselves after few steps
// would wait for theirs.
enum { FEW_STEPS = 256 };
inl int fetches_next(const gemm *g, int64_t kc) { return by_amx(g) && !in_parts(g) && kc <= FEW_STEPS * per_step(g->precision) && stores_plainly(g); }

// fetch_stored has the tile at m and n, row of its chunk's panels, fetch what a store is about.
inl void fetch_stored(const gemm *g, const gemm_step *s, int64_t row, int64_t m, int64_t n, tile_fetches *f) {
	if (fetches_next(g, s->kc)) {
		const int over = row + 1 == s->panels[0];
		m = over ? s->from[0] : m + height_of(g);
		n = over ? n + NR : n;
	}
	const int64_t rows = n < s->end[1] ? smaller(height_of(g), s->end[0] - m) : 0;
	for (int which = 0; which < MOST_STORED; which++) f->stored[which] = stored_at(g, which, m, n, rows);
}

// gemm_tile computes the tile of panels row and column, and stores it if it is finished.
inl void gemm_tile(const gemm *g, gemm_step *s, int64_t row, int64_t column, const float *a, const float *b, tile_fetches *f) {
	const int last = s->block == g->blocks - 1;
	const int64_t height = height_of(g), m = s->from[0] + row * height, rows = smaller(height, s->end[0] - m);
	const int64_t n = s->from[1] + column * NR, columns = smaller(NR, g->b.count - n);
	float *sums = s->sums + (g->blocks > 1 ? (column * s->panels[0] + row) * height * NR : 0);
	fetch(&s->ahead, s->share);
	if (last) fetch_stored(g, s, row, m, n, f);
	if (s->block > 0) prefetch_sums(sums, height);
	if (last && columns == NR && rows == height && stores_plainly(g)) {
		const int64_t at = m * g->ld + n;
		const plain_tile to = {g->plain + at, g->bias ? g->bias + n : NULL, g->addend ? g->addend + at : NULL, g->ld};
		tile(g, s->kc, a, b, sums, s->block > 0, &to, f);
		take_squares(g, m, n, rows, columns);
		return;
	}
	float *const c = g->blocks > 1 || !by_amx(g) || s->before.tile != sums ? sums : sums + height * NR;
	tile(g, s->kc, a, b, c, s->block > 0, NULL, f);
	store_rows(&s->before, height);
	if (last) s->before = (unstored_tile){g, m, n, rows, columns, 0, c};
	if (!by_amx(g)) store_rows(&s->before, height);
}

#endif
