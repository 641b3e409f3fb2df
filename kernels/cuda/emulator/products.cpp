// Products of a warpgroup: see hopper.h. Each warp computes its own 16 rows, when it waits for them and not before, from what
// lies in its registers and in shared memory then.
#include <deque>

#include "block.h"
#include "hopper.h"
#include "mbarrier.h"
#include "products.h"
#include "report.h"

namespace emulator {

enum { ROWS = 16, DEPTH = 16, MOST_COLUMNS = 128 };

// A product as the lanes of a warp brought it, and its group.
struct warp_product {
	emulated_product lane[WARP];
	int group;
};

static std::deque<warp_product> under_way[MOST_WARPS];
static int group[MOST_WARPS];

void forget_products() {
	for (auto &products : under_way) products.clear();
	for (int &g : group) g = 0;
}

static float widen(uint16_t bits, int half) { return half ? emulated_from_half(bits) : emulated_from_bfloat16(bits); }

// A tile as its description says: bits 0 to 13 its start, 16 to 29 the distance of panels, 32 to 45 that of groups of 8 rows,
// in 16 bytes each; bits 62 and 63 the swizzle over 128 bytes.
struct tile {
	size_t start, panel, group;
};

static tile tile_of(uint64_t description) {
	if (description >> 62 != 1) fail(LAUNCH_FAILED, "a product of a tile whose swizzle is not over 128 bytes");
	return {(size_t)(description & 0x3fff) * 16, (size_t)(description >> 16 & 0x3fff) * 16,
		(size_t)(description >> 32 & 0x3fff) * 16};
}

// place is where a row's column lies; columns behind the first 64 are in the next panel.
static size_t place(const tile &t, int row, int column) {
	size_t at = t.start + (size_t)(column / 64) * t.panel + (size_t)(row / 8) * t.group;
	at += (size_t)(row % 8) * LINE + (size_t)(column % 64) * 2;
	return at ^ (at >> 7 & 7) << 4;
}

// look visits the lines of rows that a product reads.
template <typename Visit> static void look(const tile &t, int first, int rows, int columns, Visit visit) {
	for (int row = first; row < first + rows; row++)
		for (int column = 0; column < columns; column += 64) visit(place(t, row, column));
}

// visit_lines visits all lines that the running warp's product reads: its own rows of the left tile, and all of the right one.
template <typename Visit> static void visit_lines(const emulated_product &p, Visit visit) {
	if (!p.weights) look(tile_of(p.left), running->number / WARP % 4 * ROWS, ROWS, DEPTH, visit);
	if (p.weights)
		look(tile_of(p.right), 0, DEPTH, p.columns, visit);
	else
		look(tile_of(p.right), 0, p.columns, DEPTH, visit);
}

static float element(const tile &t, int row, int column, int half) {
	return widen(*(const uint16_t *)(emulated_shared + place(t, row, column)), half);
}

static void load_left(float a[ROWS][DEPTH], const warp_product &w) {
	const emulated_product &p = w.lane[0];
	if (!p.weights) {
		tile t = tile_of(p.left);
		for (int i = 0; i < ROWS; i++)
			for (int k = 0; k < DEPTH; k++) a[i][k] = element(t, running->number / WARP % 4 * ROWS + i, k, p.half);
		return;
	}
	for (int l = 0; l < WARP; l++)
		for (int i = 0; i < 8; i++) {
			uint16_t bits = (uint16_t)(w.lane[l].weights[i / 2] >> 16 * (i % 2));
			a[l / 4 + i / 2 % 2 * 8][l % 4 * 2 + i % 2 + i / 4 * 8] = widen(bits, p.half);
		}
}

static void perform(const warp_product &w) {
	static float a[ROWS][DEPTH], b[DEPTH][MOST_COLUMNS];
	const emulated_product &p = w.lane[0];
	visit_lines(p, [](size_t at) { check_line(at), read_line(at); });
	load_left(a, w);
	tile t = tile_of(p.right);
	for (int k = 0; k < DEPTH; k++)
		for (int j = 0; j < p.columns; j++) b[k][j] = p.weights ? element(t, k, j, p.half) : element(t, j, k, p.half);
	for (int l = 0; l < WARP; l++)
		for (int i = 0; i < p.columns / 2; i++) {
			int row = l / 4 + i % 4 / 2 * 8, column = i / 4 * 8 + l % 4 * 2 + i % 2;
			float sum = p.add ? w.lane[l].sums[i] : 0;
			for (int k = 0; k < DEPTH; k++) sum += a[row][k] * b[k][column];
			w.lane[l].sums[i] = sum;
		}
}

static void begin(void *const operands[WARP]) {
	warp_product w;
	for (int l = 0; l < WARP; l++) w.lane[l] = *(const emulated_product *)operands[l];
	int warp = running->number / WARP;
	w.group = group[warp];
	visit_lines(w.lane[0], check_line);
	under_way[warp].push_back(w);
}

static void commit(void *const *) { group[running->number / WARP]++; }

static void wait(void *const operands[WARP]) {
	int warp = running->number / WARP, pending = *(const int *)operands[0];
	auto &products = under_way[warp];
	while (!products.empty() && products.front().group < group[warp] - pending) {
		warp_product w = products.front();
		products.pop_front();
		perform(w);
	}
}

static const warp_operation multiplying = {"a product", begin}, committing = {"products_commit", commit},
	waiting = {"products_wait", wait};

}

using namespace emulator;

void emulated_multiply(emulated_product product, emulated_site at) { meet(&multiplying, &product, 0xffffffff, at); }
void emulated_products_commit(emulated_site at) { meet(&committing, nullptr, 0xffffffff, at); }
void emulated_products_wait(int pending, emulated_site at) { meet(&waiting, &pending, 0xffffffff, at); }
