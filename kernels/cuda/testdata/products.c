// Makes products by own_product alone, large enough for every tile, and holds them against plain loops in double: run by
// TestOwnProducts. Its arguments are the modules to load. It prints what is wrong, and ends with 1 then.
//
// How many processors the device is said to have decides about tiles and slices. The same product must have the same bits with
// any number of them where its rows may be more or fewer.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../forward/forward.h"
#include "../gpu.h"
#include "../product_plan.h"

// What launch.c refers to and products need not.
struct cublaslt;
void cublaslt_stop(struct cublaslt *lt) { (void)lt; }
const gpu_kernel gpu_kernels[K_COUNT];

enum { NN, NT, TN, LAYOUTS };
enum { PLAIN, FORWARD, BACKWARD, GRADIENT, GAPS, ODD, OPTIONS };
static const char *const options[] = {"plain", "forward", "backward", "gradient", "gaps", "odd addresses"};
enum { TF32 = 4, PRECISIONS = 4 };
static const uint32_t precisions[PRECISIONS] = {DT_F32, DT_BF16, DT_F16, TF32};

// What is tried of each precision and layout, and with how many processors: large tiles of few, small ones of many, slices.
typedef struct {
	int64_t M, N, K;
	int processors[3], options[4], option_count;
} attempt;

static const attempt attempts[] = {
	{120, 250, 200, {1, 8, 1000}, {PLAIN}, 1},
	{120, 380, 140, {1}, {FORWARD, BACKWARD, GAPS, ODD}, 4},
	{60, 70, 1100, {1, 1000}, {GRADIENT}, 1},
};

static CUdeviceptr memory; // of the device, 64 MiB: see the places
static char *host;         // as much
enum { PLACE = 4 << 20, A = 0, B, C, PRE, DERIVATIVE, ADD, BIAS, STEP, WORKSPACE, PLACES = 16 };
static int wrong;

static void must(CUresult e, const char *what) {
	if (e) printf("%s: error %d\n", what, e), exit(1);
}

static float bits(uint32_t b) {
	float x;
	memcpy(&x, &b, 4);
	return x;
}

// rounded is x as the precision holds it.
static float rounded(float x, uint32_t precision) {
	uint32_t b;
	memcpy(&b, &x, 4);
	if (precision == DT_BF16) return bits((b + 0x7fff + (b >> 16 & 1)) & 0xffff0000);
	if (precision == TF32) return bits((b + 0x1000) & 0xffffe000);
	return precision == DT_F16 ? (float)(_Float16)x : x;
}

static size_t size_of(uint32_t type) { return type == DT_BF16 || type == DT_F16 ? 2 : 4; }

static void put(char *at, size_t i, float x, uint32_t type) {
	_Float16 h = (_Float16)x;
	if (type == DT_F16) memcpy(at + 2 * i, &h, 2);
	else if (type == DT_BF16) memcpy(at + 2 * i, (char *)&x + 2, 2);
	else memcpy(at + 4 * i, &x, 4);
}

static float get(const char *at, size_t i, uint32_t type) {
	_Float16 h;
	uint32_t b = 0;
	float x;
	if (type == DT_F16) return memcpy(&h, at + 2 * i, 2), (float)h;
	if (type == DT_BF16) return memcpy((char *)&b + 2, at + 2 * i, 2), bits(b);
	return memcpy(&x, at + 4 * i, 4), x;
}

// value is number i of stream s: uniform in -1 to 1.
static float value(uint64_t s, uint64_t i) {
	uint64_t z = (s << 40) + i + 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u, z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (float)((int64_t)(z ^ z >> 31) >> 32) / 0x1p31f;
}

static double gelu(double x) { return 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))); }
static double gelu_derivative(double x) {
	double t = tanh(0.7978845608028654 * (x + 0.044715 * x * x * x));
	return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * 0.7978845608028654 * (1 + 3 * 0.044715 * x * x);
}

// A case, with what it takes to compute it in double.
typedef struct {
	int64_t M, N, K;
	uint32_t precision, type, c_type; // type: of a and b
	int layout, option;
	product p;
	const double *sums;
} trial;

static float element(const trial *t, int place, int64_t row, int64_t column) {
	int64_t width = place == A ? t->K : t->N;
	return rounded(value((uint64_t)place, (uint64_t)(row * width + column)), place == A || place == B ? t->precision : t->c_type);
}

// fill writes an operand as it lies in memory, in rows with gaps of 0.
static void fill(const trial *t, int place, size_t offset, int64_t rows, int64_t columns, int64_t stride, uint32_t type,
	int transposed) {
	char *at = host + (size_t)place * PLACE + offset;
	memset(at, 0, (size_t)(rows * stride) * size_of(type));
	for (int64_t r = 0; r < rows; r++)
		for (int64_t c = 0; c < columns; c++)
			put(at, (size_t)(r * stride + c), transposed ? element(t, place, c, r) : element(t, place, r, c), type);
}

static int64_t stride_of(const trial *t, int64_t columns) { return t->option == ODD ? columns : (columns + 7) / 8 * 8; }

// operands places a and b.
static void operands(trial *t) {
	product *p = &t->p;
	size_t offset = t->option == ODD ? size_of(t->type) : 0;
	int64_t rows_a = t->layout == TN ? t->K : t->M, columns_a = t->layout == TN ? t->M : t->K;
	int64_t rows_b = t->layout == NT ? t->N : t->K, columns_b = t->layout == NT ? t->K : t->N;
	*p = (product){.M = t->M, .N = t->N, .K = t->K, .a_transposed = t->layout == TN, .b_transposed = t->layout == NT,
		.a_type = t->type, .b_type = t->type, .c_type = t->c_type, .precision = t->precision == TF32 ? DT_F32 : t->precision,
		.a_stride = stride_of(t, columns_a), .b_stride = stride_of(t, columns_b), .workspace = memory + WORKSPACE * PLACE};
	fill(t, A, offset, rows_a, columns_a, p->a_stride, t->type, p->a_transposed);
	fill(t, B, offset, rows_b, columns_b, p->b_stride, t->type, p->b_transposed);
	p->a = memory + A * PLACE + offset, p->b = memory + B * PLACE + offset, p->c = memory + C * PLACE;
}

// extras places what the epilogue of the option wants.
static void extras(trial *t) {
	product *p = &t->p;
	int64_t stride = t->option == GAPS ? t->N + 3 : t->N;
	p->c_stride = stride;
	if (t->option == FORWARD) p->bias = memory + BIAS * PLACE, p->pre = memory + PRE * PLACE, p->gelu = 1;
	if (t->option == BACKWARD) p->derivative_of = memory + DERIVATIVE * PLACE;
	if (t->option == FORWARD || t->option == BACKWARD || t->option == GAPS) p->add = memory + ADD * PLACE;
	if (t->option == GRADIENT) p->mode = MODE_BY_STEP, p->step = memory + STEP * PLACE, p->fixed_rows = 1;
	for (int64_t i = 0; i < t->N; i++) put(host + BIAS * PLACE, (size_t)i, value(BIAS, (uint64_t)i), DT_F32);
	for (int place = C; place <= ADD; place++) fill(t, place, 0, t->M, t->N, stride, t->c_type, 0);
	for (int i = 0; i < 8; i++) put(host + STEP * PLACE, (size_t)i, i == STEP_ACCUMULATE, DT_F32);
}

// expect is what c must be, and pre.
static double expect(const trial *t, int64_t m, int64_t n, double *pre) {
	const product *p = &t->p;
	double x = t->sums[m * t->N + n];
	if (p->bias) x += value(BIAS, (uint64_t)n);
	*pre = x;
	if (p->gelu) x = gelu(rounded((float)x, t->c_type));
	if (p->derivative_of) x *= gelu_derivative(element(t, DERIVATIVE, m, n));
	if (p->add) x += element(t, ADD, m, n);
	return p->mode == MODE_BY_STEP ? x + element(t, C, m, n) : x;
}

// compare holds the results against what is expected, and what lies in gaps against what was there.
static void compare(const trial *t, const char *name) {
	const char *c = host + C * PLACE, *before = host + PRE * PLACE;
	double unit = t->c_type == DT_BF16 ? 0x1p-8 : t->c_type == DT_F16 ? 0x1p-11 : 0, root = sqrt((double)t->K);
	double sum = (3e-7 + 1e-7 * root) * 1.5 * root, worst = 0; // as kerneltest's rule for sums
	int64_t stride = t->p.c_stride, at = 0;
	for (int64_t i = 0; i < t->M * stride; i++) {
		double pre, want = i % stride < t->N ? expect(t, i / stride, i % stride, &pre) : (pre = 0);
		// A sum that rounds to its other neighbour moves its GELU by a unit, or a little more.
		double allowed = unit * (1.001 * fabs(want) + (t->p.gelu ? 2.3 * fabs(pre) : 0));
		double error = fabs(get(c, (size_t)i, t->c_type) - want) - allowed;
		double error_before = t->p.pre ? fabs(get(before, (size_t)i, t->c_type) - pre) - 1.001 * unit * fabs(pre) : 0;
		if (!(error_before <= error)) error = error_before;
		if (!(error <= worst)) worst = error, at = i;
	}
	if (worst <= sum) return;
	printf("%s, %s: element [%d,%d] of c is off by %.3g, at most %.3g allowed\n", name, options[t->option], (int)(at / stride),
		(int)(at % stride), worst, sum);
	wrong = 1;
}

// run makes the product on a device of so many processors.
static void run(const trial *t, gpu *g, const char *name, char *result) {
	size_t bytes = own_product_workspace(g, &t->p);
	if (bytes > (size_t)(PLACES - WORKSPACE) * PLACE) printf("%s: %zu bytes of workspace\n", name, bytes), exit(1);
	must(cuMemcpyHtoDAsync(memory, host, (size_t)WORKSPACE * PLACE, g->stream), "writing");
	must(own_product(g, &t->p), name);
	must(cuMemcpyDtoHAsync(result, memory, (size_t)WORKSPACE * PLACE, g->stream), "reading");
	must(cuStreamSynchronize(g->stream), name);
}

static void try(trial *t, gpu *g, const attempt *a, char *kept) {
	static char result[(size_t)WORKSPACE * PLACE];
	operands(t);
	extras(t);
	size_t bytes = (size_t)(t->M * t->p.c_stride) * size_of(t->c_type);
	for (int i = 0; i < 3 && a->processors[i]; i++) {
		product_plan plan;
		g->processors = a->processors[i], g->tf32 = t->precision == TF32;
		plan_product(&plan, g, &t->p);
		run(t, g, plan.kernel, result);
		printf("used %s%s\n", plan.kernel, plan.slices > 1 ? " in slices" : "");
		char *inputs = host;
		host = result;
		compare(t, plan.kernel);
		host = inputs;
		if (i > 0 && !t->p.fixed_rows && memcmp(kept, result + C * PLACE, bytes))
			printf("%s: other bits than with fewer processors\n", plan.kernel), wrong = 1;
		memcpy(kept, result + C * PLACE, bytes);
	}
}

// sums are the products in double.
static double *sums_of(trial *t) {
	double *sums = calloc((size_t)(t->M * t->N), sizeof *sums);
	for (int64_t m = 0; m < t->M; m++)
		for (int64_t k = 0; k < t->K; k++)
			for (int64_t n = 0; n < t->N; n++) sums[m * t->N + n] += (double)element(t, A, m, k) * element(t, B, k, n);
	return sums;
}

// all goes through the precisions, layouts and options of an attempt; those of c are the precision's, or float.
static void all(gpu *g, const attempt *a, char *kept) {
	for (int i = 0; i < PRECISIONS; i++) {
		trial t = {.M = a->M, .N = a->N, .K = a->K, .precision = precisions[i]};
		t.type = t.precision == TF32 ? DT_F32 : t.precision;
		t.c_type = t.type;
		double *sums = sums_of(&t);
		t.sums = sums;
		for (t.layout = NN; t.layout < LAYOUTS; t.layout++)
			for (int option = 0; option < a->option_count; option++) {
				t.option = a->options[option];
				t.c_type = t.option == PLAIN || t.option == GRADIENT ? DT_F32 : t.type;
				try(&t, g, a, kept);
			}
		free(sums);
	}
}

// load adds a module to the device; the emulated driver takes any.
static void load(gpu *g, const char *path) {
	CUmodule module;
	FILE *f = fopen(path, "rb");
	static char image[64 << 20];
	if (!f || !fread(image, 1, sizeof image - 1, f)) printf("%s cannot be read\n", path), exit(1);
	fclose(f);
	must(cuModuleLoadData(&module, image), path);
	gpu_add_module(g, module);
}

int main(int count, char **paths) {
	char reason[512];
	CUcontext context;
	CUstream stream;
	char *kept = malloc(PLACE);
	host = calloc(PLACES, PLACE);
	if (forward_open(getenv("ATOLL_LIBCUDA"), reason, sizeof reason)) printf("%s\n", reason), exit(1);
	must(cuInit(0), "starting");
	must(cuDevicePrimaryCtxRetain(&context, 0), "making a context");
	must(cuCtxSetCurrent(context), "making a context");
	must(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING), "making a stream");
	must(cuMemAlloc(&memory, (size_t)PLACES * PLACE), "allocating");
	gpu *g = gpu_new(stream, stream, 1, 80, 0, NULL, 0);
	for (int i = 1; i < count; i++) load(g, paths[i]);
	for (int i = 0; i < (int)(sizeof attempts / sizeof *attempts); i++) all(g, &attempts[i], kept);
	return wrong;
}
