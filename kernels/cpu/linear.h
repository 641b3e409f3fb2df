// linear, linear.dx and linear.dw: gemm.h with their epilogues.
#ifndef ATOLL_LINEAR_H
#define ATOLL_LINEAR_H

#include "checks.h"
#include "gelu.h"
#include "pack.h"

inl gemm_operand row_operand(const void *x, int64_t rows, int64_t width, uint32_t dtype) {
	return (gemm_operand){x, width, rows, width, dtype, 0};
}

inl int act_size(uint32_t dtype) { return dtype == DT_F32 ? 4 : 2; }

// gemm_run computes the whole product.
static int gemm_run(gemm *g, team *t, char *error) {
	if (g->a.count == 0 || g->b.count == 0) return 0;
	size_t refused = gemm_plan(g, t);
	if (refused) return out_of_memory(error, refused);
	team_for(t, g->all_chunks, gemm_chunk, g);
	return 0;
}

typedef struct {
	void *y, *pre;
	const float *b;
	const void *res;
	int gelu;
} linear_outputs;

// Vector i of a tile's rows as a store function takes them: across of them to a row, whose columns end at columns. at is its place in the
// output and end where its row ends there, column the first of its columns, and tile its sums.
typedef struct {
	int64_t at, end, column;
	const float *tile;
} tile_vector;

inl tile_vector tile_vector_of(const gemm *g, int64_t m, int64_t n, int64_t columns, const float *tile, int i, int across) {
	const int64_t row = i / across, c = i % across * VL, at = (m + row) * g->b.count + n + c;
	return (tile_vector){at, at + columns - c, n + c, tile + row * NR + c};
}

// BY_VECTORS calls some(g, m, n, columns, tile, dtype, count, across) for all of a tile: four vectors at a time where they are whole.
#define BY_VECTORS(some, g, m, n, rows, columns, tile, dtype)                                                               \
	do {                                                                                                                    \
		int64_t row = 0;                                                                                                    \
		if (columns == NR)                                                                                                  \
			for (; row + 2 <= rows; row += 2) some(g, m + row, n, NR, tile + row * NR, dtype, 4, 2);                        \
		for (; row < rows; row++) {                                                                                         \
			int64_t c = 0;                                                                                                  \
			for (; c + 4 * VL <= columns; c += 4 * VL) some(g, m + row, n + c, 4 * VL, tile + row * NR + c, dtype, 4, 4);   \
			for (; c < columns; c += VL) some(g, m + row, n + c, columns - c, tile + row * NR + c, dtype, 1, 1);            \
		}                                                                                                                   \
	} while (0)

inl void linear_store_some(const gemm *g, int64_t m, int64_t n, int64_t columns, const float *tile, uint32_t dtype, const int count,
	const int across) {
	const linear_outputs *o = g->context;
	tile_vector t[SIDE_BY_SIDE];
	vf v[SIDE_BY_SIDE];
	EACH(count) t[i] = tile_vector_of(g, m, n, columns, tile, i, across);
	EACH(count) v[i] = vload(t[i].tile);
	if (o->b) EACH(count) v[i] += vload_to(o->b, t[i].column, n + columns);
	if (o->pre) EACH(count) vstore_act_to(o->pre, t[i].at, v[i], t[i].end, dtype);
	if (o->gelu) {
		EACH(count) v[i] = vround(v[i], dtype);
		gelu_each(v, count);
	}
	if (o->res) EACH(count) v[i] += vload_act_to(o->res, t[i].at, t[i].end, dtype);
	EACH(count) vstore_act_to(o->y, t[i].at, v[i], t[i].end, dtype);
}

inl void linear_store_as(const gemm *g, int64_t m, int64_t n, int64_t rows, int64_t columns, const float *tile, uint32_t dtype) {
	BY_VECTORS(linear_store_some, g, m, n, rows, columns, tile, dtype);
}

static void linear_store(const gemm *g, int64_t m, int64_t n, int64_t rows, int64_t columns, const float *tile) {
	BY_DTYPE(g->precision, linear_store_as, g, m, n, rows, columns, tile);
}

// y = gelu?(x·w + b) + res. What goes into the GELU is rounded as pre is, so that gelu gives the same bits from pre.
static int linear(team *t, const atoll_call *c, void *const *arg, char *error) {
	const int64_t N = c->dims[0], I = c->dims[1], O = c->dims[2];
	linear_outputs o = {arg[0], arg[1], arg[4], arg[5], c->dims[4] != 0};
	gemm g = {row_operand(arg[2], N, I, c->precision), weight_operand(arg[3], O, I, c->dims[3] != 0), .precision = c->precision,
		.store = linear_store, .context = &o, .stored = {o.y, o.pre, o.res}, .stored_size = act_size(c->precision)};
	if (c->precision == DT_F32 && !o.pre && !o.gelu) g.plain = o.y, g.bias = o.b, g.addend = o.res;
	return pack_before(&g, t, 0, error) || gemm_run(&g, t, error);
}

typedef struct {
	void *dx;
	const void *pre, *dres;
} linear_dx_outputs;

inl void linear_dx_store_some(const gemm *g, int64_t m, int64_t n, int64_t columns, const float *tile, uint32_t dtype, const int count,
	const int across) {
	const linear_dx_outputs *o = g->context;
	tile_vector t[SIDE_BY_SIDE];
	vf v[SIDE_BY_SIDE], slope[SIDE_BY_SIDE];
	EACH(count) t[i] = tile_vector_of(g, m, n, columns, tile, i, across);
	EACH(count) v[i] = vload(t[i].tile);
	if (o->pre) {
		EACH(count) slope[i] = vload_act_to(o->pre, t[i].at, t[i].end, dtype);
		gelu_slope_each(slope, count);
		EACH(count) v[i] *= slope[i];
	}
	if (o->dres) EACH(count) v[i] += vload_act_to(o->dres, t[i].at, t[i].end, dtype);
	EACH(count) vstore_act_to(o->dx, t[i].at, v[i], t[i].end, dtype);
}

inl void linear_dx_store_as(const gemm *g, int64_t m, int64_t n, int64_t rows, int64_t columns, const float *tile, uint32_t dtype) {
	BY_VECTORS(linear_dx_store_some, g, m, n, rows, columns, tile, dtype);
}

static void linear_dx_store(const gemm *g, int64_t m, int64_t n, int64_t rows, int64_t columns, const float *tile) {
	BY_DTYPE(g->precision, linear_dx_store_as, g, m, n, rows, columns, tile);
}

// dx = dy·wᵀ * gelu'(pre) + dres, where g has w.
static int linear_dx_of(team *t, const atoll_call *c, void *const *arg, gemm g, char *error) {
	linear_dx_outputs o = {arg[0], arg[3], arg[4]};
	g.a = row_operand(arg[1], c->dims[0], c->dims[2], c->precision);
	g.precision = c->precision;
	g.store = linear_dx_store, g.context = &o;
	g.stored[0] = o.dx, g.stored[1] = o.pre, g.stored[2] = o.dres;
	g.stored_size = act_size(c->precision);
	if (c->precision == DT_F32 && !o.pre) g.plain = o.dx, g.addend = o.dres;
	return pack_before(&g, t, 0, error) || gemm_run(&g, t, error);
}

static int linear_dx(team *t, const atoll_call *c, void *const *arg, char *error) {
	const gemm g = {.b = weight_operand(arg[2], c->dims[1], c->dims[2], c->dims[3] == 0)};
	return linear_dx_of(t, c, arg, g, error);
}

// linear_dx_packed: the words lie where linear.dw will store, and a line that only one worker has read is cheaper to write.
static int linear_dx_packed(team *t, const atoll_call *c, void *const *arg, char *error) {
	const int64_t I = c->dims[1], O = c->dims[2];
	const gemm g = {.b = weight_operand(NULL, I, O, 1), .packed = twice_of(arg[2], O, 1), .columns_apart = 1};
	return linear_dx_of(t, c, arg, g, error);
}

// Column sums, with a running sum for SUM_ROWS rows at a time so that the error does not grow with N. Rows are fetched SUM_AHEAD ahead.
enum { SUM_ROWS = 256, SUM_COLUMNS = 8 * VL, SUM_AHEAD = 16 };

typedef struct {
	gemm product;
	float *db;
	const void *dy;
	int64_t N, O;
	uint32_t dtype;
	int accumulate;
} linear_dw_job;

// rows_sum replaces n vectors by the sums over the rows from..end-1 of dy, whose columns begin at o and end at last.
inl void rows_sum(vf sum[SIDE_BY_SIDE], const linear_dw_job *j, int64_t from, int64_t end, int64_t o, int64_t last, uint32_t dtype,
	const int n) {
	const int size = dtype == DT_F32 ? 4 : 2;
	EACH(n) sum[i] = vzero();
	for (int64_t row = from; row < end; row++) {
		const int64_t at = row * j->O;
		// Rows lie pages apart, where the processor does not prefetch by itself.
		for (int64_t i = 0; i < n * VL * size; i += 64) __builtin_prefetch((const char *)j->dy + (at + SUM_AHEAD * j->O + o) * size + i);
		EACH(n) sum[i] += vload_act_to(j->dy, at + o + i * VL, at + last, dtype);
	}
}

// column_sums_some takes n vectors of columns from o on.
inl void column_sums_some(const linear_dw_job *j, int64_t o, int64_t last, uint32_t dtype, const int n) {
	vf sum[SIDE_BY_SIDE], part[SIDE_BY_SIDE];
	EACH(n) sum[i] = vzero();
	for (int64_t from = 0; from < j->N; from += SUM_ROWS) {
		rows_sum(part, j, from, smaller(from + SUM_ROWS, j->N), o, last, dtype, n);
		EACH(n) sum[i] += part[i];
	}
	if (j->accumulate) EACH(n) sum[i] += vload_to(j->db, o + i * VL, last);
	EACH(n) vstore_to(j->db, o + i * VL, sum[i], last);
}

// column_sums_as takes the columns from o to last, at most SUM_COLUMNS.
inl void column_sums_as(const linear_dw_job *j, int64_t o, int64_t last, uint32_t dtype) {
	for (; o + SIDE_BY_SIDE * VL <= last; o += SIDE_BY_SIDE * VL) column_sums_some(j, o, last, dtype, SIDE_BY_SIDE);
	for (; o < last; o += VL) column_sums_some(j, o, last, dtype, 1);
}

static void column_sums(const linear_dw_job *j, int64_t o) {
	BY_DTYPE(j->dtype, column_sums_as, j, o, smaller(o + SUM_COLUMNS, j->O));
}

// put_sums stores the sums that the product has taken.
static void put_sums(const linear_dw_job *j) {
	const float *sums = j->product.sums, *before = sums + sums_length(&j->product);
	for (int64_t o = 0; o < j->O; o += VL) {
		vf sum = vload(before + o) + vload(sums + o);
		if (j->accumulate) sum += vload_to(j->db, o, j->O);
		vstore_to(j->db, o, sum, j->O);
	}
}

// The chunks of dw come first, then those of db, unless the product takes their sums along.
static void linear_dw_body(void *arg, int64_t i, int worker) {
	linear_dw_job *j = arg;
	if (i < j->product.all_chunks) gemm_chunk(&j->product, i, worker);
	else column_sums(j, (i - j->product.all_chunks) * SUM_COLUMNS);
}

// tiles_of is how many tiles a product's output has.
static int64_t tiles_of(const gemm *g) { return pieces(g->a.count, height_of(g)) * pieces(g->b.count, NR); }

// gradient_of_weight: dw = xᵀ·dy stored as w, db = column sums of dy, and norm that of dw where it is not NULL.
static int gradient_of_weight(team *t, const atoll_call *c, void *const *arg, float *norm, char *error) {
	const int64_t N = c->dims[0], I = c->dims[1], O = c->dims[2];
	const gemm_operand x = {arg[2], I, I, N, c->precision, 1}, dy = {arg[3], O, O, N, c->precision, 1};
	float *dw = arg[0];
	const int accumulate = accumulates(c->dims[4], arg[4]);
	linear_dw_job j = {.db = arg[1], .dy = arg[3], .N = N, .O = O, .dtype = c->precision, .accumulate = accumulate};
	j.product = (gemm){c->dims[3] ? dy : x, c->dims[3] ? x : dy, .precision = c->precision, .store = plain_store, .plain = dw,
		.addend = accumulate ? dw : NULL, .stored = {dw}, .stored_size = sizeof *dw};
	const int64_t tiles = norm ? tiles_of(&j.product) : 0;
	const int along = dw && j.db && N > 0 && I > 0 && !c->dims[3] && sums_along(&j.product);
	const size_t squares = (size_t)pieces(tiles, 8) * 8 * sizeof(double), sums = along ? 2 * (size_t)sums_length(&j.product) * sizeof(float) : 0;
	if (dw && I > 0 && O > 0) {
		if (pack_before(&j.product, t, squares, error)) return 1;
		char *memory = squares + sums ? team_shared(t, squares + sums) : NULL;
		if (squares + sums && !memory) return out_of_memory(error, squares + sums);
		if (norm) j.product.squares = (double *)memory;
		if (along) j.product.sums = memset(memory + squares, 0, sums);
		size_t refused = gemm_plan(&j.product, t);
		if (refused) return out_of_memory(error, refused);
	}
	team_for(t, j.product.all_chunks + (j.db && !along ? pieces(O, SUM_COLUMNS) : 0), linear_dw_body, &j);
	if (along) put_sums(&j);
	double total = 0;
	for (int64_t i = 0; i < tiles; i++) total += j.product.squares[i];
	if (norm) *norm = (float)__builtin_sqrt(total);
	return 0;
}

static int linear_dw(team *t, const atoll_call *c, void *const *arg, char *error) { return gradient_of_weight(t, c, arg, NULL, error); }

static int linear_dw_norm(team *t, const atoll_call *c, void *const *arg, char *error) { return gradient_of_weight(t, c, arg, arg[5], error); }

#endif
