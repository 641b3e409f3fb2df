// Matrix products: sums [M,N] = a·b over K, handed tile by tile to a store function that applies the epilogue.
//
// The output is cut into chunks of rows and columns, those of faster workers larger; a worker takes a chunk through all of K in blocks of
// KC, packs both operands privately into its caches and adds the blocks in order. An element's bits depend on its row of a, its column
// of b and K only: not on the chunk, the tile, the other rows, or the thread.
#ifndef ATOLL_GEMM_H
#define ATOLL_GEMM_H

#include "gemm_packed.h"
#include "gemm_parts.h"
#include "gemm_side.h"

enum { ROW_SIDE, COLUMN_SIDE };

typedef struct gemm gemm;

// A store function receives the finished sums of elements m..m+rows-1, n..n+columns-1 at tile [rows,NR].
typedef void gemm_store(const gemm *g, int64_t m, int64_t n, int64_t rows, int64_t columns, const float *tile);

struct gemm {
	gemm_operand a, b; // the long side of a is M, that of b is N; the depth of both is K
	packed_weight packed; // stands for b where it has words
	uint32_t precision; // what fp32 operands are rounded to
	gemm_store *store;
	const void *context; // of store
	// plain [M,N] = sums + bias + addend, where that is all that store does, else NULLs: whole tiles do it from the registers (stores_plainly).
	float *plain;
	const float *bias, *addend;
	const void *stored[MOST_STORED]; // tensors [M,N] that store reads or writes, for prefetching; NULL where absent
	int stored_size;       // bytes of their elements
	int64_t ld;            // elements from row to row of plain and of them; 0 stands for N, which is what stores other than plain_store take it for
	float *sums;           // [2,N in whole panels], zeros: packing b adds its sums over the depth to both rows (sums_along); NULL: not wanted
	double *squares;       // for each tile the sum of the squares of what plain is then, row by row of tiles; NULL: not wanted
	const uint64_t *without; // a bit for each row of plain: 1 where its squares are left out; NULL: none are
	int columns_apart; // each worker gets columns of its own, also where there are several chunks of rows
	// The plan, by gemm_plan:
	gemm_side across, down; // the cut of the columns and that of the rows
	int64_t rows, columns;  // of the largest chunk
	int64_t all_chunks;
	int by_columns;         // whether the chunks of a column follow each other, else those of a row
	int64_t depth, blocks;         // values of k in a block, and how many blocks
	int stays;         // the side, ROW_SIDE or COLUMN_SIDE, whose panels are kept through a block; those of the other follow each other
	int64_t strip_stride; // floats between the panels that follow each other: see strip
	size_t floats[2], sum_floats; // of what is packed of both sides, and of sums
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
#if GROUP
PACKER(pack_grouped, IN_GROUPS)
#endif
#ifdef NATIVE_AMX
PACKER(pack_tiled, IN_TILES)
#endif

static int64_t per_step(uint32_t precision) {
#ifdef NATIVE_BF16
	if (precision == DT_BF16) return 2;
#endif
	(void)precision;
	return 1;
}

static int whole_numbers(const gemm *g) { return g->packed.words && g->packed.format == FORMAT_I8; }

// in_parts tells whether the product is that of fp32 in parts.
static int in_parts(const gemm *g) {
#ifdef NATIVE_AMX
	return g->precision == DT_F32 && !whole_numbers(g);
#else
	(void)g;
	return 0;
#endif
}

// by_amx tells whether the product has tiles of AMX: that of words, and of parts.
static int by_amx(const gemm *g) {
#ifdef NATIVE_AMX
	return whole_numbers(g) || per_step(g->precision) == 2 || in_parts(g);
#else
	(void)g;
	return 0;
#endif
}

// in_groups tells whether rows of a are packed in groups: for AMX, and for tiles of fp32 where copying them makes groups.
static int in_groups(const gemm *g) { return by_amx(g) || (GROUP && !g->a.by_depth && !whole_numbers(g) && per_step(g->precision) == 1); }

// rows_in_place tells whether the tiles read rows of a where they lie: bf16 as it is, of whole tiles.
static int rows_in_place(const gemm *g) {
#ifdef NATIVE_AMX
	return g->precision == DT_BF16 && !whole_numbers(g) && !g->a.by_depth && g->a.dtype == DT_BF16 && g->a.count % AMX_ROWS == 0 &&
		g->a.depth % (2 * AMX_STEPS) == 0;
#else
	(void)g;
	return 0;
#endif
}

// height_of is how many rows a tile has.
static int64_t height_of(const gemm *g) { return by_amx(g) ? AMX_ROWS : MR; }

// transposes_rows tells whether packing rows of a transposes them, which reads from many rows in turn. Else it copies what lies in order.
static int transposes_rows(const gemm *g) {
	return !in_groups(g) && !g->a.by_depth;
}

// pack_a packs the rows of panels panels from row m on.
static void pack_a(const gemm *g, float *to, int64_t m, int64_t panels, int64_t stride, int64_t k, int64_t kc) {
#ifdef NATIVE_AMX
	if (by_amx(g)) {
		pack_tiled(to, &g->a, g->precision, m, panels, stride, k, kc);
		return;
	}
#endif
#if GROUP
	if (in_groups(g)) {
		pack_grouped(to, &g->a, g->precision, m, panels, stride, k, kc);
		return;
	}
#endif
	pack_rows(to, &g->a, g->precision, m, panels, stride, k, kc);
}

// tile computes a tile, or adds to it, and fetches before it or meanwhile.
inl void tile(const gemm *g, int64_t kc, const float *a, const float *b, float *c, int add, const plain_tile *to, tile_fetches *f) {
#ifdef NATIVE_AMX
	if (in_parts(g)) {
		tile_parts(pieces(kc, PART_DEPTH), a, b, c, add, g->a.count <= AMX_ROWS / 2, to, f);
		return;
	}
	if (by_amx(g)) {
		const int64_t steps = pieces(kc, per_step(g->precision));
		amx_places p = {PACKED_LINE, PACKED_NEXT, NR, VL, AMX_STEPS * NR};
		if (g->packed.words) p.step = LINE, p.second = g->packed.panel, p.next_b = g->packed.group;
		if (rows_in_place(g)) p.line = g->a.ld / 2, p.next_a = AMX_STEPS;
		tile_amx(whole_numbers(g), steps, a, b, &p, c, add, to, f);
		return;
	}
#endif
	fetch_for_tile(f, f->lines, MR);
#if GROUP
	if (in_groups(g)) {
		const int in_panels = VL == LINE && in_place(&g->packed, g->precision);
		tile_f32_groups(kc, a, b, in_panels ? LINE : NR, in_panels ? g->packed.panel : VL, c, add, to);
		return;
	}
#endif
	if (in_place(&g->packed, g->precision)) {
		tile_packed(&g->packed, kc, a, b, c, add, to);
		return;
	}
#ifndef NATIVE_AMX
	if (whole_numbers(g)) {
		tile_pairs(kc, a, b, c, add);
		return;
	}
#endif
#if defined NATIVE_BF16 && !defined NATIVE_AMX
	if (g->precision == DT_BF16) {
		tile_bf16((kc + 1) / 2, a, b, c, add);
		return;
	}
#endif
	tile_f32(kc, a, b, c, add, to);
}

// stores_plainly tells whether whole tiles may store by themselves: those of fp32 can, and those of AMX where nothing is added and a row of a
// tile is whole lines, since it stores two lines more slowly than vectors do.
static int stores_plainly(const gemm *g) {
	if (!g->plain || whole_numbers(g)) return 0;
	if (!by_amx(g)) return per_step(g->precision) == 1;
	return !g->bias && !g->addend && (uintptr_t)g->plain % 64 == 0 && g->ld % 16 == 0;
}

// plain_store is the store of a product that only has plain.
static void plain_store(const gemm *g, int64_t m, int64_t n, int64_t rows, int64_t columns, const float *tile) {
	for (int64_t r = 0; r < rows; r++, tile += NR)
		for (int64_t c = 0; c < columns; c += VL) {
			const int64_t at = (m + r) * g->ld + n + c, end = at + columns - c;
			vf v = vload(tile + c);
			if (g->bias) v += vload_to(g->bias, n + c, n + columns);
			if (g->addend) v += vload_to(g->addend, at, end);
			vstore_to(g->plain, at, v, end);
		}
}

// exact_squares is the sum of the squares of a tile's rows, in double.
static double exact_squares(const float *at, int64_t ld, int64_t rows, int64_t columns) {
	double sum = 0;
	for (int64_t r = 0; r < rows; r++, at += ld)
		for (int64_t c = 0; c < columns; c++) sum += (double)at[c] * at[c];
	return sum;
}

// tile_squares is the same from short sums of fp32, whose errors are those of a few additions. A square would overflow from 1.8e19 on, and lose
// small numbers far earlier: where the sum shows that one may have, it is taken in double.
static double tile_squares(const float *at, int64_t ld, int64_t rows, int64_t columns) {
	if (columns < NR) return exact_squares(at, ld, rows, columns);
	vf sum[4] = {vzero(), vzero(), vzero(), vzero()};
	for (int64_t r = 0; r < rows; r++)
		for (int i = 0; i < 2; i++) {
			const vf v = vload(at + r * ld + i * VL);
			sum[r % 2 * 2 + i] = vfma(v, v, sum[r % 2 * 2 + i]);
		}
	const float total = vsum((sum[0] + sum[1]) + (sum[2] + sum[3]));
	return total > 1e-20f && total < 1e38f ? total : exact_squares(at, ld, rows, columns);
}

inl int has_bit(const uint64_t *bits, int64_t i) { return (int)(bits[i / 64] >> i % 64 & 1); }

// squares_without is tile_squares without the rows that g leaves out.
static double squares_without(const gemm *g, int64_t m, int64_t n, int64_t rows, int64_t columns) {
	double sum = 0;
	for (int64_t r = 0; r < rows;) {
		int64_t end = r;
		while (end < rows && !has_bit(g->without, m + end)) end++;
		if (end > r) sum += tile_squares(g->plain + (m + r) * g->ld + n, g->ld, end - r, columns);
		r = end + 1;
	}
	return sum;
}

// take_squares is for a tile that is stored.
static void take_squares(const gemm *g, int64_t m, int64_t n, int64_t rows, int64_t columns) {
	if (!g->squares) return;
	double *to = g->squares + m / height_of(g) * pieces(g->b.count, NR) + n / NR;
	*to = g->without ? squares_without(g, m, n, rows, columns) : tile_squares(g->plain + m * g->ld + n, g->ld, rows, columns);
}

#endif
