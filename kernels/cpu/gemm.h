// Matrix products: sums [M,N] = a·b over K, handed tile by tile to a store function that applies the epilogue.
//
// The output is cut into chunks of rows and columns; a worker takes a chunk through all of K in blocks of KC, packs both
// operands privately into its caches and adds the blocks in order. An element's bits depend on its row of a, its column of
// b and K only: not on the chunk, the tile, the other rows, or the thread.
#ifndef ATOLL_GEMM_H
#define ATOLL_GEMM_H

#include "gemm_pack.h"
#include "lanes.h"

// KC steps of depth: a panel of b (16 KB with AVX2) stays in the first cache while it meets all rows of the chunk. A step is
// one value of k, or two where bf16 is packed in words.
enum { KC = 256, ROWS = 264 / MR * MR, COLUMNS = 1024 / NR * NR };

typedef struct gemm gemm;

// A store function receives the finished sums of elements m..m+rows-1, n..n+columns-1 at tile [MR,NR].
typedef void gemm_store(const gemm *g, int64_t m, int64_t n, int64_t rows, int64_t columns, const float *tile);

struct gemm {
	gemm_operand a, b; // the long side of a is M, that of b is N; the depth of both is K
	uint32_t precision; // what fp32 operands are rounded to
	gemm_store *store;
	const void *context; // of store
	// The plan, by gemm_plan:
	int64_t rows, columns;         // of a chunk
	int64_t row_chunks, all_chunks;
	int64_t depth, blocks;         // values of k in a block, and how many blocks
	size_t a_floats, b_floats, sum_floats;
	team *team;
};

static enum conversion conversion_of(const gemm_operand *p, uint32_t precision) {
#ifdef NATIVE_BF16
	if (precision == DT_BF16) return p->dtype == DT_F32 ? F32_TO_WORDS : BF16_TO_WORDS;
#endif
	if (p->dtype == DT_BF16) return BF16_AS_IS;
	if (p->dtype == DT_F16) return F16_AS_IS;
	return precision == DT_BF16 ? F32_TO_BF16 : precision == DT_F16 ? F32_TO_F16 : F32_AS_IS;
}

// One copy of the packing for each conversion and width.
#define PACKER(name, width)                                                                                                 \
	static void name(float *to, const gemm_operand *p, uint32_t precision, int64_t j, int64_t panels, int64_t stride, int64_t k, \
		int64_t kc) {                                                                                                       \
		switch (conversion_of(p, precision)) {                                                                              \
		case F32_AS_IS: pack(to, p, j, panels, stride, width, k, kc, F32_AS_IS); break;                                     \
		case F32_TO_BF16: pack(to, p, j, panels, stride, width, k, kc, F32_TO_BF16); break;                                 \
		case F32_TO_F16: pack(to, p, j, panels, stride, width, k, kc, F32_TO_F16); break;                                   \
		case BF16_AS_IS: pack(to, p, j, panels, stride, width, k, kc, BF16_AS_IS); break;                                   \
		case F16_AS_IS: pack(to, p, j, panels, stride, width, k, kc, F16_AS_IS); break;                                     \
		case F32_TO_WORDS: pack(to, p, j, panels, stride, width, k, kc, F32_TO_WORDS); break;                               \
		case BF16_TO_WORDS: pack(to, p, j, panels, stride, width, k, kc, BF16_TO_WORDS); break;                             \
		}                                                                                                                   \
	}
PACKER(pack_rows, MR)
PACKER(pack_columns, NR)

static int64_t per_step(uint32_t precision) {
#ifdef NATIVE_BF16
	if (precision == DT_BF16) return 2;
#endif
	(void)precision;
	return 1;
}

static void tile(const gemm *g, int64_t kc, const float *a, const float *b, float *c, int add) {
#ifdef NATIVE_BF16
	if (g->precision == DT_BF16) {
		tile_bf16((kc + 1) / 2, a, b, c, add);
		return;
	}
#endif
	(void)g;
	tile_f32(kc, a, b, c, add);
}

// gemm_plan cuts the output into even chunks, at least two for each worker where that leaves them wide enough to pay for
// packing their rows. It is 0, or the bytes of scratch that the machine refused.
static size_t gemm_plan(gemm *g, team *t) {
	const int64_t M = g->a.count, N = g->b.count, K = g->a.depth, workers = team_size(t);
	g->team = t;
	g->row_chunks = larger(1, pieces(M, ROWS));
	g->rows = larger(1, pieces(pieces(M, g->row_chunks), MR)) * MR;
	g->row_chunks = pieces(M, g->rows);
	int64_t wanted = workers == 1 ? 1 : pieces(2 * workers, larger(1, g->row_chunks));
	int64_t columns = larger(smaller(pieces(N, wanted), COLUMNS), 4 * NR);
	columns = pieces(N, larger(1, pieces(N, columns)));
	g->columns = larger(1, pieces(columns, NR)) * NR;
	g->all_chunks = g->row_chunks * pieces(N, g->columns);
	g->depth = KC * per_step(g->precision);
	g->blocks = larger(1, pieces(K, g->depth));
	const int64_t steps = smaller(KC, pieces(K, per_step(g->precision)));
	g->a_floats = (size_t)(g->rows / MR * (steps * MR + 16) + 15) & ~(size_t)15;
	g->b_floats = (size_t)(steps * NR + 16);
	g->sum_floats = (size_t)(g->blocks == 1 ? MR * NR : g->rows * g->columns);
	const size_t bytes = (g->a_floats + g->b_floats + g->sum_floats) * sizeof(float);
	for (int w = 0; w < workers; w++)
		if (!team_scratch(t, w, bytes)) return bytes;
	return 0;
}

// gemm_panel multiplies all packed rows of a chunk with one packed panel of columns.
static void gemm_panel(const gemm *g, int64_t m, int64_t end, int64_t n, int64_t kc, const float *a, int64_t stride, const float *b,
	float *sums, int64_t block) {
	const int last = block == g->blocks - 1;
	const int64_t columns = smaller(NR, g->b.count - n);
	for (; m < end; m += MR, a += stride) {
		tile(g, kc, a, b, sums, block > 0);
		if (last) g->store(g, m, n, smaller(MR, end - m), columns, sums);
		if (g->blocks > 1) sums += MR * NR;
	}
}

// gemm_chunk computes chunk i of the plan. It is a team_body over 0..all_chunks-1 with a gemm for its argument.
static void gemm_chunk(void *arg, int64_t i, int worker) {
	const gemm *g = arg;
	const int64_t m = i % g->row_chunks * g->rows, m_end = smaller(m + g->rows, g->a.count);
	const int64_t n = i / g->row_chunks * g->columns, n_end = smaller(n + g->columns, g->b.count);
	const int64_t panels = pieces(m_end - m, MR);
	float *a = team_scratch(g->team, worker, (g->a_floats + g->b_floats + g->sum_floats) * sizeof(float));
	float *b = a + g->a_floats, *sums = b + g->b_floats;
	for (int64_t block = 0; block < g->blocks; block++) {
		const int64_t k = block * g->depth, kc = smaller(g->depth, g->a.depth - k);
		const int64_t stride = pieces(kc, per_step(g->precision)) * MR + 16;
		pack_rows(a, &g->a, g->precision, m, panels, stride, k, kc);
		for (int64_t j = n; j < n_end; j += NR) {
			pack_columns(b, &g->b, g->precision, j, 1, 0, k, kc);
			float *at = g->blocks > 1 ? sums + (j - n) * panels * MR : sums;
			gemm_panel(g, m, m_end, j, kc, a, stride, b, at, block);
		}
	}
}

#endif
