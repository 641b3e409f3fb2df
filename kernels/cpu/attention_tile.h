// What attention and its gradient are made of. Queries are the lanes: a panel is 2*VL queries side by side, and scores,
// probabilities and outputs are kept transposed, [key][query] and [column][query]. So the softmax of a query is vertical,
// keys and values are broadcast from rows as they are, and nothing of a row's arithmetic depends on its neighbours:
// every sum runs over the keys in their order, in tiles of KEYS counted from the start of the sequence, and a key that a
// query does not see adds an exact zero.
#ifndef ATOLL_ATTENTION_TILE_H
#define ATOLL_ATTENTION_TILE_H

#include "checks.h"
#include "lanes.h"
#include "philox.h"

// BLOCK rows of a product are computed at once in 2*BLOCK registers: as many as an instruction set has room for.
#if VL == 16 || defined __aarch64__
enum { BLOCK = 12 };
#else
enum { BLOCK = 6 };
#endif
#ifdef NATIVE_AMX
enum { PANEL = 2 * VL, KEYS = 64 };
#else
enum { PANEL = 2 * VL, KEYS = 48 };
#endif

// A matrix whose element (row, step) is at start[row*row_stride + step*step_stride].
typedef struct {
	const float *start;
	int64_t row_stride, step_stride;
} operand;

inl void tile_rows(float *out, int64_t out_stride, operand a, const float *b, int64_t b_stride, int64_t steps, int add_to,
	int rows) {
	vf sum[BLOCK][2];
	for (int r = 0; r < rows; r++)
		for (int v = 0; v < 2; v++) sum[r][v] = add_to ? vload(out + r * out_stride + v * VL) : vzero();
	for (int64_t s = 0; s < steps; s++) {
		vf left = vload(b + s * b_stride), right = vload(b + s * b_stride + VL);
		const float *column = a.start + s * a.step_stride;
		for (int r = 0; r < rows; r++) {
			vf x = vset(column[r * a.row_stride]);
			sum[r][0] = vfma(x, left, sum[r][0]);
			sum[r][1] = vfma(x, right, sum[r][1]);
		}
	}
	for (int r = 0; r < rows; r++)
		for (int v = 0; v < 2; v++) vstore(out + r * out_stride + v * VL, sum[r][v]);
}

// tile_product is out[r][0..PANEL) = (add_to ? out : 0) + sum over s of a(r, s) * b[s][0..PANEL).
inl void tile_product(float *out, int64_t out_stride, operand a, const float *b, int64_t b_stride, int64_t rows,
	int64_t steps, int add_to) {
	int64_t r = 0;
	// Two rows left over would be one by one, with too few sums to keep a processor busy: eight are better four and four.
	for (; r + BLOCK <= rows && (BLOCK > 6 || rows - r != 8); r += BLOCK, a.start += BLOCK * a.row_stride)
		tile_rows(out + r * out_stride, out_stride, a, b, b_stride, steps, add_to, BLOCK);
	for (; r + 4 <= rows; r += 4, a.start += 4 * a.row_stride)
		tile_rows(out + r * out_stride, out_stride, a, b, b_stride, steps, add_to, 4);
	for (; r < rows; r++, a.start += a.row_stride)
		tile_rows(out + r * out_stride, out_stride, a, b, b_stride, steps, add_to, 1);
}

// The three products that are needed. scores[key][query] = rows[key]·columns[query], over D columns [D][PANEL].
static void tile_scores(float *scores, const float *rows, const float *columns, int64_t D, int64_t keys) {
	tile_product(scores, PANEL, (operand){rows, D, 1}, columns, PANEL, keys, D, 0);
}

// columns[column][query] += sum over keys of rows[key][column] * weights[key][query].
static void tile_weigh(float *columns, const float *rows, const float *weights, int64_t D, int64_t keys) {
	tile_product(columns, PANEL, (operand){rows, 1, D}, weights, PANEL, D, keys, 1);
}

// sums[key][column] += sum over the panel's queries of weights[key][query] * rows[query][column], width a multiple of PANEL.
static void tile_gather(float *sums, const float *weights, const float *rows, int64_t width, int64_t keys) {
	for (int64_t i = 0; i < width; i += PANEL)
		tile_product(sums + i, width, (operand){weights, PANEL, 1}, rows + i, width, keys, PANEL, 1);
}

#if defined __clang__
#define vshuffle(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define vshuffle(a, b, ...) __builtin_shuffle(a, b, (vi){__VA_ARGS__})
#endif
#if VL == 16
#define ZIP_LOW(a, b) vshuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define ZIP_HIGH(a, b) vshuffle(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#elif VL == 8
#define ZIP_LOW(a, b) vshuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define ZIP_HIGH(a, b) vshuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#else
#define ZIP_LOW(a, b) vshuffle(a, b, 0, 4, 1, 5)
#define ZIP_HIGH(a, b) vshuffle(a, b, 2, 6, 3, 7)
#endif

// vtranspose turns rows into columns: every round is a perfect shuffle of the VL*VL elements.
inl void vtranspose(vf row[VL]) {
	for (int round = 1; round < VL; round *= 2) {
		vf next[VL];
		for (int i = 0; i < VL / 2; i++) {
			next[2 * i] = ZIP_LOW(row[i], row[i + VL / 2]);
			next[2 * i + 1] = ZIP_HIGH(row[i], row[i + VL / 2]);
		}
		for (int i = 0; i < VL; i++) row[i] = next[i];
	}
}

// One head of one sequence in a tensor of rows: row t begins at element at + t*stride.
typedef struct {
	void *start;
	int64_t at, stride;
	uint32_t dtype;
} head_slice;

enum { AHEAD = 12 }; // rows between reading and prefetching

inl void read_rows_as(float *to, int64_t width, head_slice h, int64_t from, int64_t n, int64_t D, float scale, uint32_t dtype) {
	vf s = vset(scale);
	int64_t size = dtype == DT_F32 ? 4 : 2, lines = pieces(D * size, 64);
	for (int64_t r = 0; r < n; r++, to += width) {
		int64_t at = h.at + (from + r) * h.stride;
		// Rows lie pages apart, where the processor does not prefetch by itself.
		const char *ahead = (const char *)h.start + (at + AHEAD * h.stride) * size;
		for (int64_t line = 0; line < lines; line++) __builtin_prefetch(ahead + line * 64);
		for (int64_t i = 0; i < width; i += VL)
			vstore_to(to, i, i < D ? vload_act_to(h.start, at + i, at + D, dtype) * s : vzero(), width);
	}
}

// read_rows writes rows from..from+n-1 times scale as fp32, each padded with zeros from D to width.
static void read_rows(float *to, int64_t width, head_slice h, int64_t from, int64_t n, int64_t D, float scale) {
	BY_DTYPE(h.dtype, read_rows_as, to, width, h, from, n, D, scale);
}

inl void write_rows_as(head_slice h, int64_t from, const float *rows, int64_t width, int64_t n, int64_t D, uint32_t dtype) {
	for (int64_t r = 0; r < n; r++, rows += width)
		for (int64_t at = h.at + (from + r) * h.stride, i = 0; i < D; i += VL)
			vstore_act_to(h.start, at + i, vload_to(rows, i, width), at + D, dtype);
}

// write_rows stores the first D columns of n rows.
static void write_rows(head_slice h, int64_t from, const float *rows, int64_t width, int64_t n, int64_t D) {
	BY_DTYPE(h.dtype, write_rows_as, h, from, rows, width, n, D);
}

static void zero_rows(head_slice h, int64_t from, int64_t end, int64_t D) {
	size_t size = h.dtype == DT_F32 ? 4 : 2;
	for (int64_t r = from; r < end; r++)
		memset((char *)h.start + (size_t)(h.at + r * h.stride) * size, 0, (size_t)D * size);
}

// panel_columns transposes the first n of PANEL rows of width D into [D][PANEL]; the lanes of absent rows are zeros.
static void panel_columns(float *columns, const float *rows, int64_t width, int64_t n, int64_t D) {
	for (int64_t first = 0; first < PANEL; first += VL)
		for (int64_t d = 0; d < D; d += VL) {
			vf block[VL];
			for (int64_t i = 0; i < VL; i++)
				block[i] = first + i < n ? vload_to(rows + (first + i) * width, d, width) : vzero();
			vtranspose(block);
			for (int64_t i = 0; i < VL && d + i < D; i++) vstore(columns + (d + i) * PANEL + first, block[i]);
		}
}

// panel_rows is the inverse: [D][PANEL] into PANEL rows, whose width is D rounded up to vectors or more.
static void panel_rows(float *rows, int64_t width, const float *columns, int64_t D) {
	for (int64_t first = 0; first < PANEL; first += VL)
		for (int64_t d = 0; d < D; d += VL) {
			vf block[VL];
			for (int64_t i = 0; i < VL; i++) block[i] = d + i < D ? vload(columns + (d + i) * PANEL + first) : vzero();
			vtranspose(block);
			for (int64_t i = 0; i < VL; i++) vstore(rows + (first + i) * width + d, block[i]);
		}
}

// vsees is set in the lanes whose query may look at the key: query lane of the panel's half that begins at first.
inl vi vsees(int64_t first, int64_t key) { return viota() >= (int32_t)larger(smaller(key - first, VL), 0); }

// One call of an attention kernel.
typedef struct {
	const atoll_call *c;
	void *const *arg;
	team *team;
	const int32_t *lengths; // NULL: T
	philox dropout;
	int drops; // whether there is dropout at all
	int64_t B, T, C, H, D;
	float scale;  // of the scores
	float *rooms; // room_floats for each worker
	int64_t room_floats;
} attention_call;

static attention_call attention_of(team *t, const atoll_call *c, void *const *arg, const int32_t *lengths, const int32_t *seed) {
	const int64_t *dims = c->dims;
	attention_call k = {.c = c, .arg = arg, .team = t, .lengths = lengths, .B = dims[0], .T = dims[1], .C = dims[2], .H = dims[3],
		.D = dims[2] / dims[3]};
	k.scale = 1 / __builtin_sqrtf((float)larger(k.D, 1));
	k.drops = seed && c->scalars[0] > 0;
	if (k.drops) k.dropout = philox_of(seed, dims[4], c->scalars[0]);
	return k;
}

// line_floats is n rounded up to whole cache lines.
inl int64_t line_floats(int64_t n) { return pieces(n, 16) * 16; }

// padded is the width of a row of D in whole vectors, panel_width in whole panels.
inl int64_t padded(int64_t D) { return pieces(D, VL) * VL; }
inl int64_t panel_width(int64_t D) { return pieces(D, PANEL) * PANEL; }

// attention_rooms gets memory for each worker. floats is a multiple of a cache line.
static int attention_rooms(attention_call *k, int64_t floats, char *error) {
	k->room_floats = floats;
	size_t bytes = (size_t)(k->room_floats * team_size(k->team)) * sizeof(float);
	k->rooms = team_shared(k->team, bytes);
	return k->rooms ? 0 : out_of_memory(error, bytes);
}

inl float *room_of(const attention_call *k, int worker) { return k->rooms + worker * k->room_floats; }

// place gives the next n floats of a room, rounded up to whole cache lines.
inl float *place(float **at, int64_t n) {
	float *start = *at;
	*at += line_floats(n);
	return start;
}

inl int64_t rows_of(const attention_call *k, int64_t b) { return k->lengths ? k->lengths[b] : k->T; }

// third is head h of sequence b in the queries (0), keys (1) or values (2) of rows of 3*C.
static head_slice third(const attention_call *k, void *qkv, int64_t b, int64_t h, int which) {
	return (head_slice){qkv, b * k->T * 3 * k->C + which * k->C + h * k->D, 3 * k->C, k->c->precision};
}

// head_of is head h of sequence b in rows of C.
static head_slice head_of(const attention_call *k, void *x, int64_t b, int64_t h) {
	return (head_slice){x, b * k->T * k->C + h * k->D, k->C, k->c->precision};
}

// panel_factors writes the dropout factors of a panel's first n queries for some keys, [key][query].
static void panel_factors(float *factors, const attention_call *k, int64_t head, int64_t query, int64_t n, int64_t key,
	int64_t keys) {
	float row[KEYS + VL];
	for (int64_t q = 0; q < PANEL; q++) {
		if (q < n) philox_factors(row, &k->dropout, (uint64_t)((head * k->T + query + q) * k->T + key), keys);
		for (int64_t s = 0; s < keys; s++) factors[s * PANEL + q] = q < n ? row[s] : 0;
	}
}

#endif
