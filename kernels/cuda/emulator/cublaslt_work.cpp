// The arithmetic of the emulated cublasLt: D = epilogue(alpha*op(A)*op(B) + beta*C), with sums in double in the order of k, so that an
// element depends on its row of op(A), its column of op(B) and k alone.
#include <math.h>

#include <vector>

#include "cublaslt.h"
#include "language.h"
#include "memory.h"
#include "queue.h"

namespace emulator {

static float load(const char *p, cudaDataType type) {
	if (type == CUDA_R_32F) return *(const float *)p;
	return type == CUDA_R_16F ? emulated_from_half(*(const uint16_t *)p) : emulated_from_bfloat16(*(const uint16_t *)p);
}

static void store(char *p, cudaDataType type, double x) {
	if (type == CUDA_R_32F) *(float *)p = (float)x;
	else *(uint16_t *)p = type == CUDA_R_16F ? emulated_to_half((float)x) : emulated_to_bfloat16((float)x);
}

// What tensor cores read of a float: 10 bits of fraction, to nearest, ties away from zero.
static float to_tf32(float x) {
	uint32_t bits = __float_as_uint(x);
	return (bits & 0x7f800000) == 0x7f800000 ? x : __uint_as_float((bits + 0x1000) & ~0x1fffu);
}

// operand is op(matrix) in float: column by column, or row by row.
static std::vector<float> operand(const char *at, const cublasLtMatrixLayoutOpaque *l, bool by_rows, bool tf32) {
	std::vector<float> x((size_t)(l->rows * l->columns));
	size_t size = cublaslt_size(l->type);
	for (int64_t j = 0; j < l->columns; j++)
		for (int64_t i = 0; i < l->rows; i++) {
			float value = load(at + (size_t)(j * l->ld + i) * size, l->type);
			x[(size_t)(by_rows ? i * l->columns + j : j * l->rows + i)] = tf32 ? to_tf32(value) : value;
		}
	return x;
}

static const double GELU_SCALE = 0.7978845608028654, GELU_CUBIC = 0.044715; // sqrt(2/pi)

static double gelu(double x) { return 0.5 * x * (1 + tanh(GELU_SCALE * (x + GELU_CUBIC * x * x * x))); }

static double gelu_derivative(double x) {
	double t = tanh(GELU_SCALE * (x + GELU_CUBIC * x * x * x));
	return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * GELU_SCALE * (1 + 3 * GELU_CUBIC * x * x);
}

// finished puts element i of column j through the epilogue.
static double finished(const cublaslt_product *p, double x, int64_t i, int64_t j) {
	uint32_t e = p->desc.epilogue;
	size_t size = cublaslt_size(p->d.type);
	char *aux = (char *)p->desc.aux + (size_t)(j * p->desc.aux_ld + i) * size;
	if (e == CUBLASLT_EPILOGUE_DGELU) return x * gelu_derivative(load(aux, p->d.type));
	if (e & CUBLASLT_EPILOGUE_BIAS) x += load((const char *)p->desc.bias + (size_t)i * size, p->d.type);
	if (!(e & CUBLASLT_EPILOGUE_GELU)) return x;
	if (e & 128) store(aux, p->d.type, x);
	return gelu(x);
}

// sum_up writes what BGRADA or BGRADB ask for: lines lines of k values, each k at [k][line].
static void sum_up(const cublaslt_product *p, const std::vector<float> &x, int64_t lines) {
	size_t size = cublaslt_size(p->d.type);
	for (int64_t line = 0; line < lines; line++) {
		double sum = 0;
		for (int64_t k = 0; k < p->k(); k++) sum += x[(size_t)(k * lines + line)];
		store((char *)p->desc.bias + (size_t)line * size, p->d.type, sum);
	}
}

static double rounded(double x, cudaDataType type) {
	char place[4];
	store(place, type, x);
	return load(place, type);
}

// add_products adds the products of column j of B with each row of A to the sums: those of one k after the other.
static void add_products(const cublaslt_product *p, const std::vector<float> &a, const std::vector<float> &b, int64_t j,
	std::vector<double> *sums) {
	int64_t m = p->m(), n = p->n(), part = p->part ? p->part : p->k();
	std::vector<double> of_part((size_t)m);
	for (int64_t first = 0; first < p->k(); first += part) {
		for (double &sum : of_part) sum = 0;
		for (int64_t k = first; k < p->k() && k < first + part; k++) {
			double factor = b[(size_t)(k * n + j)];
			const float *column = &a[(size_t)(k * m)];
			for (int64_t i = 0; i < m; i++) of_part[(size_t)i] += factor * column[i];
		}
		for (int64_t i = 0; i < m; i++) (*sums)[(size_t)i] += p->part ? rounded(of_part[(size_t)i], p->d.type) : of_part[(size_t)i];
	}
}

static void multiply(const cublaslt_product *p, const std::vector<float> &a, const std::vector<float> &b, double alpha, double beta) {
	int64_t m = p->m();
	size_t size = cublaslt_size(p->d.type);
	for (int64_t j = 0; j < p->n(); j++) {
		std::vector<double> sums((size_t)m);
		add_products(p, a, b, j, &sums);
		for (int64_t i = 0; i < m; i++) {
			size_t at = (size_t)(j * p->d.ld + i) * size;
			double x = alpha * sums[(size_t)i];
			if (beta != 0) x += beta * load(p->at_c + at, p->c.type);
			store(p->at_d + at, p->d.type, finished(p, x, i, j));
		}
	}
}

// work leaves NaN in the workspace: nobody may keep anything there.
static int work(void *context) {
	const cublaslt_product *p = (const cublaslt_product *)context;
	bool tf32 = p->desc.compute == CUBLAS_COMPUTE_32F_FAST_TF32;
	memset(p->workspace, 0xff, p->workspace_bytes);
	std::vector<float> a = operand(p->at_a, &p->a, p->desc.of_a == CUBLAS_OP_T, tf32); // [k][m]
	std::vector<float> b = operand(p->at_b, &p->b, p->desc.of_b == CUBLAS_OP_N, tf32); // [k][n]
	float alpha = p->device_alpha ? *(const float *)p->device_alpha : p->alpha;
	float beta = p->device_beta ? *(const float *)p->device_beta : p->beta;
	multiply(p, a, b, alpha, beta);
	if (p->desc.epilogue == CUBLASLT_EPILOGUE_BGRADA) sum_up(p, a, p->m());
	if (p->desc.epilogue == CUBLASLT_EPILOGUE_BGRADB) sum_up(p, b, p->n());
	return 0;
}

static emulated_range matrix(const char *at, const cublasLtMatrixLayoutOpaque *l) {
	size_t size = cublaslt_size(l->type);
	return {(unsigned long long)at, (size_t)l->rows * size, (size_t)l->columns, (size_t)l->ld * size};
}

static emulated_range bytes(const void *at, size_t count) { return {(unsigned long long)at, count, 1, count}; }

int cublaslt_queue(const cublaslt_product *p, void *stream) {
	uint32_t e = p->desc.epilogue;
	size_t size = cublaslt_size(p->d.type);
	std::vector<emulated_range> reads = {matrix(p->at_a, &p->a), matrix(p->at_b, &p->b)}, writes = {matrix(p->at_d, &p->d)};
	cublasLtMatrixLayoutOpaque aux = {p->d.type, p->m(), p->n(), p->desc.aux_ld};
	if (p->workspace_bytes) writes.push_back(bytes(p->workspace, p->workspace_bytes));
	if (p->beta != 0) reads.push_back(matrix(p->at_c, &p->c)); // a beta on the device may be 0: C need not hold anything then
	if (p->device_alpha) reads.push_back(bytes(p->device_alpha, 4));
	if (p->device_beta) reads.push_back(bytes(p->device_beta, 4));
	if (e == CUBLASLT_EPILOGUE_BGRADA) writes.push_back(bytes((void *)p->desc.bias, (size_t)p->m() * size));
	else if (e == CUBLASLT_EPILOGUE_BGRADB) writes.push_back(bytes((void *)p->desc.bias, (size_t)p->n() * size));
	else if (e & CUBLASLT_EPILOGUE_BIAS) reads.push_back(bytes((void *)p->desc.bias, (size_t)p->m() * size));
	if (e & 128) (e == CUBLASLT_EPILOGUE_DGELU ? reads : writes).push_back(matrix((const char *)p->desc.aux, &aux));
	return emulated_queue_host_work(stream, "cublasLtMatmul", work, p, sizeof *p, reads.data(), reads.size(), writes.data(), writes.size());
}

}
