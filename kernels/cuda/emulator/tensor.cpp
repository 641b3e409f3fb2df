// Tensor cores and matrix loads: see tensor.h. Each lane brings its fragments, the last one computes for the warp. A product of two
// halves or TF32s is exact in float; the sums are in order of k, rounded each.
#include "tensor.h"

#include "access.h"
#include "block.h"
#include "violation.h"

namespace emulator {

struct multiplied {
	emulated_accumulators d;
	emulated_operands o;
};

// The matrices of one product, with room for the largest K.
struct matrices {
	float a[16][16], b[16][8], d[16][8];
};

template <int K> static void multiply(matrices *m) {
	for (int i = 0; i < 16; i++)
		for (int k = 0; k < K; k++)
			for (int j = 0; j < 8; j++) m->d[i][j] += m->a[i][k] * m->b[k][j];
}

// d has the same layout in all products.
static void load_sums(matrices *m, void *const operands[WARP]) {
	for (int l = 0; l < WARP; l++) {
		const float *d = ((const multiplied *)operands[l])->d.at;
		int g = l / 4, t = l % 4;
		m->d[g][2 * t] = d[0], m->d[g][2 * t + 1] = d[1], m->d[g + 8][2 * t] = d[2], m->d[g + 8][2 * t + 1] = d[3];
	}
}

static void store_sums(const matrices *m, void *const operands[WARP]) {
	for (int l = 0; l < WARP; l++) {
		float *d = ((multiplied *)operands[l])->d.at;
		int g = l / 4, t = l % 4;
		d[0] = m->d[g][2 * t], d[1] = m->d[g][2 * t + 1], d[2] = m->d[g + 8][2 * t], d[3] = m->d[g + 8][2 * t + 1];
	}
}

template <float widen(uint16_t)> static void multiply_halves(void *const operands[WARP]) {
	matrices m;
	load_sums(&m, operands);
	for (int l = 0; l < WARP; l++) {
		const emulated_operands *o = &((const multiplied *)operands[l])->o;
		int g = l / 4, t = l % 4;
		for (int half = 0; half < 2; half++) {
			auto value = [half](uint32_t pair) { return widen((uint16_t)(pair >> 16 * half)); };
			int k = 2 * t + half;
			m.a[g][k] = value(o->a[0]), m.a[g + 8][k] = value(o->a[1]), m.a[g][k + 8] = value(o->a[2]), m.a[g + 8][k + 8] = value(o->a[3]);
			m.b[k][g] = value(o->b[0]), m.b[k + 8][g] = value(o->b[1]);
		}
	}
	multiply<16>(&m);
	store_sums(&m, operands);
}

// The tensor core does not look at the bits of a float that TF32 does not have.
static float cut(uint32_t bits) { return __uint_as_float(bits & 0xffffe000); }

static void multiply_tf32(void *const operands[WARP]) {
	matrices m;
	load_sums(&m, operands);
	for (int l = 0; l < WARP; l++) {
		const emulated_operands *o = &((const multiplied *)operands[l])->o;
		int g = l / 4, t = l % 4;
		m.a[g][t] = cut(o->a[0]), m.a[g + 8][t] = cut(o->a[1]), m.a[g][t + 4] = cut(o->a[2]), m.a[g + 8][t + 4] = cut(o->a[3]);
		m.b[t][g] = cut(o->b[0]), m.b[t + 4][g] = cut(o->b[1]);
	}
	multiply<8>(&m);
	store_sums(&m, operands);
}

struct loaded {
	const void *row;
	emulated_matrices r;
};

// Row j of matrix i is where lane 8i+j says.
template <bool transposed> static void load_matrices(void *const operands[WARP]) {
	for (int l = 0; l < WARP; l++)
		for (int i = 0; i < 4; i++) {
			auto element = [operands, i](int row, int column) {
				return (uint32_t)((const uint16_t *)((const loaded *)operands[8 * i + row])->row)[column];
			};
			int g = l / 4, t = 2 * (l % 4);
			uint32_t low = transposed ? element(t, g) : element(g, t), high = transposed ? element(t + 1, g) : element(g, t + 1);
			((loaded *)operands[l])->r.at[i] = high << 16 | low;
		}
}

static const warp_operation bf16 = {"mma_16x8x16", multiply_halves<emulated_from_bfloat16>},
	f16 = {"mma_16x8x16", multiply_halves<emulated_from_half>}, tf32_product = {"mma_16x8x8_tf32", multiply_tf32},
	rows = {"load_matrix_x4", load_matrices<false>}, columns = {"load_matrix_x4_transposed", load_matrices<true>};

static emulated_accumulators product(const warp_operation *operation, emulated_accumulators d, emulated_operands o, emulated_site at) {
	multiplied lane = {d, o};
	meet(operation, &lane, 0xffffffff, at);
	return lane.d;
}

}

using namespace emulator;

emulated_accumulators emulated_mma_bf16(emulated_accumulators d, emulated_operands o, emulated_site at) { return product(&bf16, d, o, at); }
emulated_accumulators emulated_mma_f16(emulated_accumulators d, emulated_operands o, emulated_site at) { return product(&f16, d, o, at); }
emulated_accumulators emulated_mma_tf32(emulated_accumulators d, emulated_operands o, emulated_site at) {
	return product(&tf32_product, d, o, at);
}

emulated_matrices emulated_load_matrices(const void *row, int transposed, emulated_site at) {
	const void *from = __builtin_return_address(0);
	if ((size_t)((const unsigned char *)row - emulated_shared) >= MOST_SHARED) bad_address(READ, row, 16, from);
	check_access<READ>(row, 16, 16, from);
	loaded lane = {row, {}};
	meet(transposed ? &columns : &rows, &lane, 0xffffffff, at);
	return lane.r;
}
