//go:build gpu

// A product by cublasLt. What its epilogues cannot do, or not in the right order, is left to a kernel after it; what neither can is
// refused, and a kernel of our own makes the product.
#include "cublaslt_plan.h"
#include "cut.h"
#include "gpu.h"
#include "product.h"
#include "run.h"

#include <stdio.h>
#include <string.h>

enum { THREADS = 256, PER_THREAD = 8, FEW = 64 };

// A product as it is put to cublasLt and to the kernel after it.
typedef struct {
	cublaslt_key key;
	CUdeviceptr a, b, c, d, bias, aux; // c: what beta multiplies; aux: what goes into the GELU
	int cast_a, cast_b, cast_bias;     // to the places above, in the workspace
	const void *alpha, *beta;
	int gelu; // of the kernel after it, which reads d, as the two below
	CUdeviceptr derivative_of, add;
} order;

static const float zero = 0, one = 1;

static int aligned_16(CUdeviceptr p) { return (p & 15) == 0; }

// alignment is the largest power of two up to 256 that divides the address.
static uint32_t alignment(CUdeviceptr p) { return (uint32_t)((p | 256) & -(p | 256)); }

static int casts(const product *p, uint32_t type) { return type == DT_F32 && p->precision != DT_F32; }

// An operand as it lies in memory. One that is cast gets rows that begin at multiples of 16 bytes.
typedef struct {
	int64_t rows, columns, stride, cast_stride;
} shape;

static shape shape_of(int64_t rows, int64_t columns, int64_t stride) {
	return (shape){rows, columns, stride ? stride : columns, pieces(columns, 8) * 8};
}
static shape shape_a(const product *p) { return shape_of(p->a_transposed ? p->K : p->M, p->a_transposed ? p->M : p->K, p->a_stride); }
static shape shape_b(const product *p) { return shape_of(p->b_transposed ? p->N : p->K, p->b_transposed ? p->K : p->N, p->b_stride); }

// The workspace is cublasLt's, then a, b and the bias where they are cast.
static size_t place_casts(const product *p, CUdeviceptr *a, CUdeviceptr *b, CUdeviceptr *bias) {
	size_t at = CUBLASLT_WORKSPACE;
	*a = p->workspace + at;
	if (casts(p, p->a_type)) at += whole_256(shape_a(p).rows * shape_a(p).cast_stride * 2);
	*b = p->workspace + at;
	if (casts(p, p->b_type)) at += whole_256(shape_b(p).rows * shape_b(p).cast_stride * 2);
	*bias = p->workspace + at;
	return p->c_type == DT_F32 ? at : at + whole_256(pieces(p->N, 8) * 16);
}

// library is the device's cublasLt, found when it is first asked for; NULL where there is none.
static cublaslt *library(const gpu *g) {
	gpu *device = (gpu *)g; // a device without it differs in nothing that a reader sees
	if (!device->cublaslt) device->cublaslt = cublaslt_start(g->stream, g->capability);
	return device->cublaslt && device->cublaslt->handle ? device->cublaslt : NULL;
}

size_t cublaslt_product_workspace(const gpu *g, const product *p) {
	CUdeviceptr a, b, bias;
	return library(g) ? place_casts(p, &a, &b, &bias) : 0;
}

int64_t gpu_cublaslt_version(const gpu *g, const char **text) {
	const cublaslt *lt = library(g);
	*text = g->cublaslt ? g->cublaslt->calls.text : "the system refused memory for it";
	return lt ? (int64_t)lt->calls.cublasLtGetVersion() : 0;
}

int64_t gpu_cublaslt_products(const gpu *g) { return g->cublaslt ? g->cublaslt->products : 0; }

static int fits(int64_t n) { return n > 0 && n <= INT32_MAX; }

// order_operands takes the types that cublasLt has: both operands of the precision, the result of it or float32.
static int order_operands(const gpu *g, const product *p, order *o) {
	cublaslt_key *key = &o->key;
	CUdeviceptr a, b, bias;
	if (!fits(p->M) || !fits(p->N) || !fits(p->K)) return 0;
	key->M = p->M, key->N = p->N, key->K = p->K;
	key->ldc = p->c_stride ? p->c_stride : p->N;
	key->a_transposed = p->a_transposed != 0, key->b_transposed = p->b_transposed != 0;
	key->operands = p->precision, key->result = p->c_type;
	key->tf32 = p->precision == DT_F32 && gpu_tf32(g);
	o->cast_a = casts(p, p->a_type), o->cast_b = casts(p, p->b_type);
	key->lda = o->cast_a ? shape_a(p).cast_stride : shape_a(p).stride;
	key->ldb = o->cast_b ? shape_b(p).cast_stride : shape_b(p).stride;
	place_casts(p, &a, &b, &bias);
	o->a = o->cast_a ? a : p->a, o->b = o->cast_b ? b : p->b, o->c = o->d = p->c;
	return (o->cast_a || p->a_type == p->precision) && (o->cast_b || p->b_type == p->precision) &&
		(p->c_type == DT_F32 || p->c_type == p->precision) && fits(key->lda) && fits(key->ldb) && fits(key->ldc);
}

// order_sums: a bias gradient comes out of a product that overwrites float32 and does nothing else. cublasLt's A is b.
static int order_sums(const product *p, order *o) {
	if (p->bias || p->pre || p->gelu || p->derivative_of || p->add || p->mode != MODE_OVERWRITE || p->c_type != DT_F32) return 0;
	o->key.epilogue = p->b_sums ? CUBLASLT_EPILOGUE_BGRADA : CUBLASLT_EPILOGUE_BGRADB;
	o->bias = p->b_sums ? p->b_sums : p->a_sums;
	return !(p->a_sums && p->b_sums) && aligned_16(o->bias);
}

// order_bias: cublasLt adds a bias of the result's type. Its kernels read 16 bytes of it at once and do not say so.
static int order_bias(const product *p, order *o) {
	CUdeviceptr a, b;
	o->key.epilogue = CUBLASLT_EPILOGUE_DEFAULT;
	if (!p->bias) return 1;
	o->key.epilogue = CUBLASLT_EPILOGUE_BIAS;
	o->bias = p->bias;
	o->cast_bias = p->c_type != DT_F32;
	if (o->cast_bias) place_casts(p, &a, &b, &o->bias);
	return aligned_16(o->bias);
}

// order_gelu: cublasLt has the GELU and its derivative last of all, on halves only as exact as we want them, and reads or writes
// what goes into the GELU 16 bytes at a time, in columns that lie a multiple of 8 apart.
static int order_gelu(const cublaslt *lt, const product *p, order *o) {
	CUdeviceptr aux = p->gelu ? p->pre : p->derivative_of;
	if (p->gelu && p->derivative_of) return 0;
	int fused = lt->fuses_gelu && p->precision != DT_F32 && !p->add && o->key.ldc % 8 == 0 && aligned_16(aux);
	if (fused && p->gelu) {
		o->key.epilogue = CUBLASLT_EPILOGUE_GELU | (p->bias ? CUBLASLT_EPILOGUE_BIAS : 0) | (aux ? 128 : 0);
		o->aux = aux;
		return 1;
	}
	if (fused && !p->bias) {
		o->key.epilogue = CUBLASLT_EPILOGUE_DGELU;
		o->aux = aux;
		return 1;
	}
	if (p->pre) o->c = o->d = p->pre;
	o->gelu = p->gelu, o->derivative_of = p->derivative_of, o->add = p->add;
	return o->key.ldc == p->N; // of the kernel after it
}

// order_storing says what beta is and what it multiplies. A mode by step is decided by the device, which reads beta there.
static int order_storing(const cublaslt *lt, const product *p, order *o) {
	o->alpha = &one, o->beta = &zero;
	if (p->mode == MODE_OVERWRITE) {
		if (!p->add || o->add) return 1;
		o->beta = &one, o->c = p->add;
		return 1;
	}
	o->beta = &one;
	if (p->mode == MODE_BY_STEP) {
		o->key.pointer_mode = CUBLASLT_POINTER_MODE_DEVICE;
		o->alpha = (const void *)lt->one, o->beta = (const void *)(p->step + STEP_ACCUMULATE * sizeof(float));
	}
	return p->c_type == DT_F32 && !p->add && !p->gelu && !p->derivative_of;
}

// rounds_twice: a bias that is cast, and a result that the kernel after it reads, are rounded once more than by our own kernel. That
// errs as much as the rounding of the result, where some of its elements are as large. All of a few may be small: their terms cancel.
static int rounds_twice(const product *p, const order *o) {
	return p->c_type != DT_F32 && p->M * p->N < FEW && (o->cast_bias || o->gelu || o->derivative_of || o->add);
}

static int make_order(const gpu *g, const cublaslt *lt, const product *p, order *o) {
	memset(o, 0, sizeof *o);
	if (p->rows_alone && p->precision == DT_F32 && !gpu_tf32(g)) return 0;
	if (!order_operands(g, p, o)) return 0;
	if (p->a_sums || p->b_sums) {
		if (!order_sums(p, o)) return 0;
	} else {
		if (!order_bias(p, o)) return 0;
		if (p->pre && !p->gelu) return 0;
		if ((p->gelu || p->derivative_of) && !order_gelu(lt, p, o)) return 0;
	}
	if (!order_storing(lt, p, o) || rounds_twice(p, o)) return 0;
	o->key.adds = o->beta != &zero;
	o->key.alignment_a = alignment(o->a), o->key.alignment_b = alignment(o->b);
	o->key.alignment_c = alignment(o->c), o->key.alignment_d = alignment(o->d);
	return 1;
}

static CUresult cast_operand(gpu *g, CUdeviceptr to, CUdeviceptr from, shape s, uint32_t type) {
	return gpu_cast(g, to, from, s.rows, s.columns, s.cast_stride, s.stride, type);
}

static CUresult cast(gpu *g, const product *p, const order *o) {
	CUresult e = o->cast_a ? cast_operand(g, o->a, p->a, shape_a(p), p->precision) : CUDA_SUCCESS;
	if (!e && o->cast_b) e = cast_operand(g, o->b, p->b, shape_b(p), p->precision);
	if (!e && o->cast_bias) e = cast_operand(g, o->bias, p->bias, shape_of(1, p->N, 0), p->c_type);
	return e;
}

static CUresult multiply(gpu *g, cublaslt *lt, const product *p, const order *o, const cublaslt_descriptors *d, cublaslt_plan *plan) {
	cublasStatus_t s = lt->calls.cublasLtMatmul(lt->handle, d->operation, o->alpha, (void *)o->b, d->a, (void *)o->a, d->b, o->beta,
		(void *)o->c, d->c, (void *)o->d, d->c, &plan->algo, (void *)p->workspace, CUBLASLT_WORKSPACE, g->stream);
	lt->products += s == CUBLAS_STATUS_SUCCESS;
	if (s == CUBLAS_STATUS_SUCCESS) return CUDA_SUCCESS;
	if (s == CUBLAS_STATUS_NOT_SUPPORTED || s == CUBLAS_STATUS_INVALID_VALUE || s == CUBLAS_STATUS_ARCH_MISMATCH) {
		plan->refused = 1;
		return CUDA_ERROR_NOT_SUPPORTED;
	}
	snprintf(g->failure.doing, GPU_DOING_BYTES, "multiplying %lld x %lld by %lld x %lld: cublasLtMatmul answers %s", (long long)p->M,
		(long long)p->K, (long long)p->K, (long long)p->N, lt->calls.cublasLtGetStatusName(s));
	return CUDA_ERROR_UNKNOWN;
}

// finish does what is left after the product: c = gelu(d) or d * gelu'(derivative_of), and + add.
static CUresult finish(gpu *g, const product *p, const order *o) {
	if (!o->gelu && !o->derivative_of && !o->add) return CUDA_SUCCESS;
	CUdeviceptr c = p->c, d = o->d, derivative_of = o->derivative_of, add = o->add;
	int64_t n = p->M * p->N;
	int gelu = o->gelu, wide = aligned_16(c | d | derivative_of | add);
	char room[GPU_NAME_BYTES];
	void *params[] = {&c, &d, &gelu, &derivative_of, &add, &n, &wide};
	return gpu_launch(g, gpu_name(room, "product_finish", p->c_type), spread(g, n, THREADS * PER_THREAD), THREADS, 0, params);
}

CUresult cublaslt_product(gpu *g, const product *p) {
	cublaslt *lt = library(g);
	order o;
	cublaslt_descriptors d;
	if (!lt || !make_order(g, lt, p, &o)) return CUDA_ERROR_NOT_SUPPORTED;
	CUresult e = cublaslt_describe(lt, &o.key, o.bias, o.aux, &d) ? CUDA_ERROR_NOT_SUPPORTED : CUDA_SUCCESS;
	cublaslt_plan *plan = e ? NULL : cublaslt_find(lt, &o.key, &d);
	if (!e && plan->refused) e = CUDA_ERROR_NOT_SUPPORTED;
	if (!e) e = cast(g, p, &o);
	if (!e) e = multiply(g, lt, p, &o, &d, plan);
	cublaslt_forget(lt, &d);
	return e ? e : finish(g, p, &o);
}
