// Asks the emulated cublasLt for products that differ in one thing from one that is allowed, and says where its answer is not the
// one that is wanted. It is given the library's path.
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "../cublaslt.h"

#define POINTER(name, result, arguments) static result(*name) arguments;
CUBLASLT_CALLS(POINTER)

#define SUCCESS CUBLAS_STATUS_SUCCESS
#define INVALID CUBLAS_STATUS_INVALID_VALUE
#define UNSUPPORTED CUBLAS_STATUS_NOT_SUPPORTED

// D [16,8] = A [16,4]·B [4,8] in columns, as the fields have it.
typedef struct {
	const char *what;
	cublasStatus_t heuristic, matmul; // wanted; matmul only where the heuristic has an algorithm
	cublasComputeType_t compute;
	cudaDataType a, b, c, d;
	int64_t rows, lda, ldd;
	int32_t pointer_mode, of_a;
	uint32_t epilogue;
	int bias_offset, aux_offset; // from a multiple of 256; -1: none
	int64_t aux_ld;
	uint32_t alignment_d; // as promised to the heuristic, of C too: D lies over it
	int d_offset, device_scalars;
	size_t workspace;
} product;

static const product allowed = {"the allowed one", SUCCESS, SUCCESS, CUBLAS_COMPUTE_32F,
	CUDA_R_16BF, CUDA_R_16BF, CUDA_R_16BF, CUDA_R_16BF, 16, 16, 16,
	CUBLASLT_POINTER_MODE_HOST, CUBLAS_OP_N, CUBLASLT_EPILOGUE_DEFAULT, -1, -1, 0, 16, 0, 0, 1 << 20};

static char *memory; // of the device: 256 KiB
static void *stream;
static cublasLtHandle_t handle;

static void set(cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t what, const void *value, size_t bytes) {
	if (cublasLtMatmulDescSetAttribute(desc, what, value, bytes)) printf("attribute %d was refused\n", what);
}

static cublasLtMatmulDesc_t describe(const product *p) {
	cublasLtMatmulDesc_t desc;
	const char *bias = memory + 8192 + p->bias_offset, *aux = memory + 16384 + p->aux_offset;
	cublasLtMatmulDescCreate(&desc, p->compute, CUDA_R_32F);
	set(desc, CUBLASLT_MATMUL_DESC_POINTER_MODE, &p->pointer_mode, 4);
	set(desc, CUBLASLT_MATMUL_DESC_TRANSA, &p->of_a, 4);
	set(desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &p->epilogue, 4);
	if (p->bias_offset >= 0) set(desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, 8);
	if (p->aux_offset >= 0) set(desc, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, &aux, 8);
	set(desc, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, &p->aux_ld, 8);
	return desc;
}

static void check(const product *p) {
	cublasLtMatmulDesc_t desc = describe(p);
	cublasLtMatrixLayout_t a, b, c, d;
	cublasLtMatmulPreference_t preference;
	cublasLtMatmulHeuristicResult_t result;
	int count = 0;
	uint64_t workspace = 1 << 20;
	static const float one = 1, zero = 0;
	cublasLtMatrixLayoutCreate(&a, p->a, 16, 4, p->lda);
	cublasLtMatrixLayoutCreate(&b, p->b, 4, 8, 4);
	cublasLtMatrixLayoutCreate(&c, p->c, (uint64_t)p->rows, 8, p->ldd);
	cublasLtMatrixLayoutCreate(&d, p->d, (uint64_t)p->rows, 8, p->ldd);
	cublasLtMatmulPreferenceCreate(&preference);
	cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, 8);
	cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &p->alignment_d, 4);
	cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &p->alignment_d, 4);
	cublasStatus_t s = cublasLtMatmulAlgoGetHeuristic(handle, desc, a, b, c, d, preference, 1, &result, &count);
	if (s != p->heuristic || count != (s == SUCCESS))
		printf("%s: the heuristic answers %d with %d algorithms, want %d\n", p->what, s, count, p->heuristic);
	if (s == SUCCESS) {
		const void *alpha = p->device_scalars ? memory + 4096 : (const void *)&one;
		const void *beta = p->device_scalars ? memory + 4100 : (const void *)&zero;
		char *at_d = memory + 32768 + p->d_offset;
		s = cublasLtMatmul(handle, desc, alpha, memory, a, memory + 1024, b, beta, at_d, c, at_d, d, &result.algo, memory + 65536,
			p->workspace, stream);
		if (s != p->matmul) printf("%s: the product answers %d, want %d\n", p->what, s, p->matmul);
	}
	cublasLtMatmulPreferenceDestroy(preference);
	cublasLtMatrixLayoutDestroy(a), cublasLtMatrixLayoutDestroy(b), cublasLtMatrixLayoutDestroy(c), cublasLtMatrixLayoutDestroy(d);
	cublasLtMatmulDescDestroy(desc);
}

// CASE checks the allowed product with changes.
#define CASE(words, heuristic_answer, matmul_answer, changes)                                                 \
	{                                                                                                           \
		product p = allowed;                                                                                      \
		p.what = words, p.heuristic = heuristic_answer, p.matmul = matmul_answer;                                 \
		changes;                                                                                                  \
		check(&p);                                                                                                \
	}

static void check_all(void) {
	check(&allowed);
	CASE("float32 out of halves", SUCCESS, SUCCESS, p.c = p.d = CUDA_R_32F);
	CASE("A and B of two types", UNSUPPORTED, SUCCESS, p.b = CUDA_R_16F);
	CASE("C and D of two types", INVALID, SUCCESS, p.c = CUDA_R_32F);
	CASE("fp16 out of bf16", UNSUPPORTED, SUCCESS, p.c = p.d = CUDA_R_16F);
	CASE("TF32 of halves", UNSUPPORTED, SUCCESS, p.compute = CUBLAS_COMPUTE_32F_FAST_TF32);
	CASE("TF32 of float32", SUCCESS, SUCCESS, p.compute = CUBLAS_COMPUTE_32F_FAST_TF32; p.a = p.b = p.c = p.d = CUDA_R_32F);
	CASE("a leading dimension below the rows", INVALID, SUCCESS, p.lda = 15);
	CASE("D with other rows", INVALID, SUCCESS, p.rows = 15);
	CASE("A turned that is not square", INVALID, SUCCESS, p.of_a = CUBLAS_OP_T);
	CASE("more rows than an int32 holds", UNSUPPORTED, SUCCESS, p.ldd = (int64_t)1 << 31);
	CASE("a bias", SUCCESS, SUCCESS, p.epilogue = CUBLASLT_EPILOGUE_BIAS; p.bias_offset = 0);
	CASE("a bias that is nowhere", INVALID, SUCCESS, p.epilogue = CUBLASLT_EPILOGUE_BIAS);
	CASE("a bias at a multiple of 8", UNSUPPORTED, SUCCESS, p.epilogue = CUBLASLT_EPILOGUE_BIAS; p.bias_offset = 8);
	CASE("GELU with its input", SUCCESS, SUCCESS, p.epilogue = CUBLASLT_EPILOGUE_GELU_AUX; p.aux_offset = 0; p.aux_ld = 16);
	CASE("GELU with its input at a multiple of 8", UNSUPPORTED, SUCCESS, p.epilogue = CUBLASLT_EPILOGUE_GELU_AUX; p.aux_offset = 8; p.aux_ld = 16);
	CASE("GELU with its input 20 apart", INVALID, SUCCESS, p.epilogue = CUBLASLT_EPILOGUE_GELU_AUX; p.aux_offset = 0; p.aux_ld = 20);
	CASE("GELU' with its input 8 apart", INVALID, SUCCESS, p.epilogue = CUBLASLT_EPILOGUE_DGELU; p.aux_offset = 0; p.aux_ld = 8);
	CASE("sums of A", SUCCESS, SUCCESS, p.epilogue = CUBLASLT_EPILOGUE_BGRADA; p.bias_offset = 0);
	CASE("an epilogue that there is not", UNSUPPORTED, SUCCESS, p.epilogue = 3);
	CASE("scalars on the device", SUCCESS, SUCCESS, p.pointer_mode = CUBLASLT_POINTER_MODE_DEVICE; p.device_scalars = 1);
	CASE("scalars on the host that are to be on the device", SUCCESS, INVALID, p.pointer_mode = CUBLASLT_POINTER_MODE_DEVICE);
	CASE("scalars on the device that are to be on the host", SUCCESS, INVALID, p.device_scalars = 1);
	CASE("scalars on the device with a bias", UNSUPPORTED, SUCCESS, p.pointer_mode = CUBLASLT_POINTER_MODE_DEVICE; p.epilogue = CUBLASLT_EPILOGUE_BIAS;
		p.bias_offset = 0);
	CASE("D less aligned than promised", SUCCESS, INVALID, p.d_offset = 8);
	CASE("D as little aligned as promised", SUCCESS, SUCCESS, p.d_offset = 8; p.alignment_d = 8);
	CASE("too little workspace", SUCCESS, INVALID, p.workspace = 100);
}

int main(int count, char **arguments) {
	void *library = count == 2 ? dlopen(arguments[1], RTLD_NOW) : NULL, *context;
	if (!library) return printf("no library: %s\n", dlerror()), 1;
#define RESOLVE(name, result, arguments) *(void **)&name = dlsym(library, #name);
	CUBLASLT_CALLS(RESOLVE)
	int (*retain)(void **, int), (*use)(void *), (*allocate)(void *, size_t), (*make)(void *, unsigned);
	*(void **)&retain = dlsym(library, "cuDevicePrimaryCtxRetain"), *(void **)&use = dlsym(library, "cuCtxSetCurrent");
	*(void **)&allocate = dlsym(library, "cuMemAlloc_v2"), *(void **)&make = dlsym(library, "cuStreamCreate");
	if (cublasLtCreate(&handle) != CUBLAS_STATUS_NOT_INITIALIZED) printf("a handle without a context\n");
	if (retain(&context, 0) || use(context) || allocate(&memory, 256 << 10) || make(&stream, 1) || cublasLtCreate(&handle))
		return printf("no device\n"), 1;
	check_all();
	return 0;
}
