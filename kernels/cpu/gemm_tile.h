// The innermost product: a tile of MR x NR sums in registers, on packed operands.
//
// Each sum is one chain of fused multiply-adds over k, from the first to the last of a block of K, whatever the tile's
// place: that is what makes an element's bits depend on its row, its column and K only.
#ifndef ATOLL_GEMM_TILE_H
#define ATOLL_GEMM_TILE_H

#include "fetch.h"

// LINE is the words of a line of a packed panel: kernels.PanelWidth.
enum { LINE = 16 };

// Two vectors wide. MR is as many rows as leave registers for the two vectors and a broadcast: 28 + 3 of AVX-512's 32,
// 12 + 3 of AVX2's 16.
enum { NR = 2 * VL };
#if VL == 16
enum { MR = 14 };
#elif VL == 8
enum { MR = 6 };
#elif defined __aarch64__
enum { MR = 8 };
#else
enum { MR = 4 };
#endif

// fetch_for_tile fetches lines of what comes next, and rows of each place that the tile is stored to.
inl void fetch_for_tile(tile_fetches *f, int64_t lines, int64_t rows) {
	fetch(&f->next, lines);
	for (int i = 0; i < MOST_STORED; i++) fetch_rows(&f->stored[i], rows, NR, f->stored_size);
}

// GROUP is not 0 where rows of a may stand in groups of GROUP steps, [k/GROUP,MR,GROUP], which nothing is transposed for: a group is a vector
// of each row (AVX2) or a quarter of one (AVX-512). The last group is whole, too; what is behind kc in it is zeros.
#if VL == 8
#define GROUP 8

#define CLEAR(sum) "vpxor " sum ", " sum ", " sum "\n\t"
#define CLEAR_SUMS                                                                              \
	CLEAR("%[l0]") CLEAR("%[l1]") CLEAR("%[l2]") CLEAR("%[l3]") CLEAR("%[l4]") CLEAR("%[l5]")   \
	CLEAR("%[h0]") CLEAR("%[h1]") CLEAR("%[h2]") CLEAR("%[h3]") CLEAR("%[h4]") CLEAR("%[h5]")
#define SUMS(low, high)                                                                                                     \
	[l0] "=&x"(low[0]), [l1] "=&x"(low[1]), [l2] "=&x"(low[2]), [l3] "=&x"(low[3]), [l4] "=&x"(low[4]), [l5] "=&x"(low[5]), \
	[h0] "=&x"(high[0]), [h1] "=&x"(high[1]), [h2] "=&x"(high[2]), [h3] "=&x"(high[3]), [h4] "=&x"(high[4]), [h5] "=&x"(high[5])

// A row of step k of a group, and the step as a whole.
#define MULTIPLY_ROW(k, row)                                        \
	"vbroadcastss 4*" k "+32*" row "(%[a]), %[x]\n\t"               \
	"vfmadd231ps %[b0], %[x], %[l" row "]\n\t"                      \
	"vfmadd231ps %[b1], %[x], %[h" row "]\n\t"
#define MULTIPLY_STEP(k)                                            \
	"vmovups 64*" k "(%[b]), %[b0]\n\t"                             \
	"vmovups 64*" k "+32(%[b]), %[b1]\n\t"                          \
	MULTIPLY_ROW(k, "0") MULTIPLY_ROW(k, "1") MULTIPLY_ROW(k, "2")  \
	MULTIPLY_ROW(k, "3") MULTIPLY_ROW(k, "4") MULTIPLY_ROW(k, "5")

// In assembly, because GCC makes a pointer of each row and moves all six in each step, which costs what transposing does.
inl void multiply_groups(int64_t kc, const float *a, const float *b, int64_t step, int64_t second, vf low[MR], vf high[MR]) {
	(void)step; // panels of b lie alike, packed or not
	(void)second;
	vf b0, b1, x;
	int64_t groups = kc / GROUP, steps = kc % GROUP;
	__asm__ volatile(
		CLEAR_SUMS
		"test %[groups], %[groups]\n\t"
		"jz 2f\n\t"
		".p2align 5\n\t"
		"1:\n\t"
		MULTIPLY_STEP("0") MULTIPLY_STEP("1") MULTIPLY_STEP("2") MULTIPLY_STEP("3")
		MULTIPLY_STEP("4") MULTIPLY_STEP("5") MULTIPLY_STEP("6") MULTIPLY_STEP("7")
		"add $192, %[a]\n\t"
		"add $512, %[b]\n\t"
		"dec %[groups]\n\t"
		"jnz 1b\n\t"
		"2:\n\t"
		"test %[steps], %[steps]\n\t"
		"jz 4f\n\t"
		"3:\n\t"
		MULTIPLY_STEP("0")
		"add $4, %[a]\n\t"
		"add $64, %[b]\n\t"
		"dec %[steps]\n\t"
		"jnz 3b\n\t"
		"4:"
		: SUMS(low, high), [a] "+r"(a), [b] "+r"(b), [groups] "+r"(groups), [steps] "+r"(steps), [b0] "=&x"(b0), [b1] "=&x"(b1), [x] "=&x"(x)
		:
		: "memory", "cc");
}
#elif VL == 16
#define GROUP 4

// multiply_groups gives in low and high the sums over k of rows in groups and of b, whose steps are step floats apart and the second vector of
// each second floats behind the first.
inl void multiply_groups(int64_t kc, const float *a, const float *b, int64_t step, int64_t second, vf low[MR], vf high[MR]) {
	// Not unrolled: GCC would move sums from register to register.
#define MULTIPLY_STEP                                                           \
	do {                                                                        \
		const vf left = vload(b), right = vload(b + second);                    \
		_Pragma("GCC unroll 16") for (int i = 0; i < MR; i++) {                 \
			const vf x = vset(a[i * GROUP]);                                    \
			low[i] = vfma(x, left, low[i]);                                     \
			high[i] = vfma(x, right, high[i]);                                  \
		}                                                                       \
	} while (0)
#pragma GCC unroll 16
	for (int i = 0; i < MR; i++) low[i] = high[i] = vzero();
	for (; kc >= GROUP; kc -= GROUP, a += GROUP * (MR - 1)) {
#pragma GCC unroll 1
		for (int k = 0; k < GROUP; k++, a++, b += step) MULTIPLY_STEP;
	}
	for (; kc > 0; kc--, a++, b += step) MULTIPLY_STEP;
#undef MULTIPLY_STEP
}
#else
#define GROUP 0
#endif

// add_sums adds the sums c [MR,NR] of earlier blocks, and store_sums stores them.
inl void add_sums(const float *c, vf low[MR], vf high[MR]) {
#pragma GCC unroll 16
	for (int i = 0; i < MR; i++) low[i] = vload(c + i * NR) + low[i], high[i] = vload(c + i * NR + VL) + high[i];
}
inl void store_sums(float *c, const vf low[MR], const vf high[MR]) {
#pragma GCC unroll 16
	for (int i = 0; i < MR; i++) {
		vstore(c + i * NR, low[i]);
		vstore(c + i * NR + VL, high[i]);
	}
}

// sums_f32 gives in low and high the sums over k of a [k,MR] times b [k,NR], whose steps are step floats apart and the second vector of
// each step second floats behind the first.
inl void sums_f32(int64_t kc, const float *restrict a, const float *restrict b, int64_t step, int64_t second, vf low[MR], vf high[MR]) {
#pragma GCC unroll 16
	for (int i = 0; i < MR; i++) low[i] = high[i] = vzero();
#pragma GCC unroll 4
	for (int64_t k = 0; k < kc; k++, a += MR, b += step) {
		vf b0 = vload(b), b1 = vload(b + second);
#pragma GCC unroll 16
		for (int i = 0; i < MR; i++) {
			vf ai = vset(a[i]);
			low[i] = vfma(ai, b0, low[i]);
			high[i] = vfma(ai, b1, high[i]);
		}
	}
}

// Where a whole tile of fp32 goes without a detour: y and addend at its first element, rows ld apart, bias at its first column. Bias and
// addend may be NULL.
typedef struct {
	float *y;
	const float *bias, *addend;
	int64_t ld;
} plain_tile;

// finish_tile adds what c [MR,NR] holds of earlier blocks where add is set, and stores the sums in c, or to y with what is added there.
inl void finish_tile(vf low[MR], vf high[MR], float *c, int add, const plain_tile *to) {
	if (add) add_sums(c, low, high);
	if (!to) {
		store_sums(c, low, high);
		return;
	}
	if (to->bias) {
		const vf left = vload(to->bias), right = vload(to->bias + VL);
#pragma GCC unroll 16
		for (int i = 0; i < MR; i++) low[i] += left, high[i] += right;
	}
	if (to->addend) {
#pragma GCC unroll 16
		for (int i = 0; i < MR; i++) low[i] += vload(to->addend + i * to->ld), high[i] += vload(to->addend + i * to->ld + VL);
	}
#pragma GCC unroll 16
	for (int i = 0; i < MR; i++) {
		vstore(to->y + i * to->ld, low[i]);
		vstore(to->y + i * to->ld + VL, high[i]);
	}
}

static void tile_f32(int64_t kc, const float *restrict a, const float *restrict b, float *c, int add, const plain_tile *to) {
	vf low[MR], high[MR];
	sums_f32(kc, a, b, NR, VL, low, high);
	finish_tile(low, high, c, add, to);
}

// The same where b stands in packed panels (packed.h), panel floats apart.
static void tile_f32_packed(int64_t kc, const float *restrict a, const float *restrict b, int64_t panel, float *c, int add,
	const plain_tile *to) {
	vf low[MR], high[MR];
	sums_f32(kc, a, b, LINE, VL == LINE ? panel : VL, low, high);
	finish_tile(low, high, c, add, to);
}

#if GROUP
// The same on rows of a in groups.
static void tile_f32_groups(int64_t kc, const float *restrict a, const float *restrict b, int64_t step, int64_t second, float *c, int add,
	const plain_tile *to) {
	vf low[MR], high[MR];
	multiply_groups(kc, a, b, step, second, low, high);
	finish_tile(low, high, c, add, to);
}
#endif

#ifndef NATIVE_AMX
// The same on pairs of 16-bit whole numbers: a [k,MR], b [k,NR] and the sums, which are exact, are 32-bit words in the place of floats.
// multiply_pairs gives the sums of each row in low and high.
#if VL == 8
#define MULTIPLY_PAIR(row, low, high)                  \
	"vpbroadcastd 4*" row "(%[a]), %[x]\n\t"           \
	"vpmaddwd %[b0], %[x], %[product]\n\t"             \
	"vpmaddwd %[b1], %[x], %[x]\n\t"                   \
	"vpaddd %[product], " low ", " low "\n\t"          \
	"vpaddd %[x], " high ", " high "\n\t"

// The loop takes all 16 registers. From intrinsics GCC makes one that keeps sums in memory, at half the speed. kc is 1 at least.
inl void multiply_pairs(int64_t kc, const float *a, const float *b, vi low[MR], vi high[MR]) {
	__m256i b0, b1, x, product;
	__asm__ volatile(
		CLEAR_SUMS
		"1:\n\t"
		"vmovdqu (%[b]), %[b0]\n\t"
		"vmovdqu 32(%[b]), %[b1]\n\t"
		MULTIPLY_PAIR("0", "%[l0]", "%[h0]") MULTIPLY_PAIR("1", "%[l1]", "%[h1]") MULTIPLY_PAIR("2", "%[l2]", "%[h2]")
		MULTIPLY_PAIR("3", "%[l3]", "%[h3]") MULTIPLY_PAIR("4", "%[l4]", "%[h4]") MULTIPLY_PAIR("5", "%[l5]", "%[h5]")
		"add $24, %[a]\n\t"
		"add $64, %[b]\n\t"
		"dec %[kc]\n\t"
		"jnz 1b"
		: SUMS(low, high), [a] "+r"(a), [b] "+r"(b), [kc] "+r"(kc), [b0] "=&x"(b0), [b1] "=&x"(b1), [x] "=&x"(x), [product] "=&x"(product)
		:
		: "memory", "cc");
}
#else
inl void multiply_pairs(int64_t kc, const float *a, const float *b, vi low[MR], vi high[MR]) {
#pragma GCC unroll 16
	for (int i = 0; i < MR; i++) low[i] = high[i] = (vi){0};
	for (int64_t k = 0; k < kc; k++, a += MR, b += NR) {
		const vi left = (vi)vload(b), right = (vi)vload(b + VL);
#pragma GCC unroll 16
		for (int i = 0; i < MR; i++) {
			const vi x = (vi)vset_word(a + i);
#ifdef NATIVE_VNNI
			low[i] = (vi)_mm512_dpwssd_epi32((__m512i)low[i], (__m512i)x, (__m512i)left);
			high[i] = (vi)_mm512_dpwssd_epi32((__m512i)high[i], (__m512i)x, (__m512i)right);
#elif VL == 16
			low[i] += (vi)_mm512_madd_epi16((__m512i)x, (__m512i)left);
			high[i] += (vi)_mm512_madd_epi16((__m512i)x, (__m512i)right);
#elif defined __SSE2__
			low[i] += (vi)_mm_madd_epi16((__m128i)x, (__m128i)left);
			high[i] += (vi)_mm_madd_epi16((__m128i)x, (__m128i)right);
#else
			const vi first = x << 16 >> 16, second = x >> 16;
			low[i] += first * (left << 16 >> 16) + second * (left >> 16);
			high[i] += first * (right << 16 >> 16) + second * (right >> 16);
#endif
		}
	}
}
#endif

static void tile_pairs(int64_t kc, const float *restrict a, const float *restrict b, float *restrict c, int add) {
	vi low[MR], high[MR];
	if (kc == 0) {
		for (int i = 0; i < MR * NR && !add; i++) c[i] = 0;
		return;
	}
	multiply_pairs(kc, a, b, low, high);
#pragma GCC unroll 16
	for (int i = 0; i < MR; i++) {
		float *row = c + i * NR;
		vstore(row, (vf)(add ? (vi)vload(row) + low[i] : low[i]));
		vstore(row + VL, (vf)(add ? (vi)vload(row + VL) + high[i] : high[i]));
	}
}

#endif

#if defined NATIVE_BF16 && !defined NATIVE_AMX
// The same on pairs of bf16: a [k,MR] and b [k,NR] hold two values of k in each 32-bit word.
inl void tile_bf16_of(int64_t kc, const float *restrict a, const float *restrict b, int64_t step, int64_t second, float *restrict c,
	int add) {
	__m512 low[MR], high[MR];
#pragma GCC unroll 16
	for (int i = 0; i < MR; i++) low[i] = high[i] = _mm512_setzero_ps();
#pragma GCC unroll 4
	for (int64_t k = 0; k < kc; k++, a += MR, b += step) {
		__m512bh b0 = (__m512bh)vload(b), b1 = (__m512bh)vload(b + second);
#pragma GCC unroll 16
		for (int i = 0; i < MR; i++) {
			__m512bh ai = (__m512bh)vset(a[i]);
			low[i] = _mm512_dpbf16_ps(low[i], ai, b0);
			high[i] = _mm512_dpbf16_ps(high[i], ai, b1);
		}
	}
#pragma GCC unroll 16
	for (int i = 0; i < MR; i++) {
		float *row = c + i * NR;
		vstore(row, add ? vload(row) + (vf)low[i] : (vf)low[i]);
		vstore(row + VL, add ? vload(row + VL) + (vf)high[i] : (vf)high[i]);
	}
}

static void tile_bf16(int64_t kc, const float *restrict a, const float *restrict b, float *restrict c, int add) {
	tile_bf16_of(kc, a, b, NR, VL, c, add);
}

static void tile_bf16_packed(int64_t kc, const float *restrict a, const float *restrict b, int64_t panel, float *restrict c, int add) {
	tile_bf16_of(kc, a, b, LINE, panel, c, add);
}
#endif

#endif
