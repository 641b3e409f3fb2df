// The C side of kernels.Call, and what a kernel is given when it runs.
#ifndef ATOLL_PROGRAM_H
#define ATOLL_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

enum { ATOLL_MAX_ARGS = 12, ATOLL_MAX_DIMS = 8, ATOLL_MAX_SCALARS = 8 };

// In the order of kernels.Kernel; a Go test holds the two lists together.
enum atoll_kernel {
	K_EMBED, K_EMBED_BACKWARD, K_LAYERNORM, K_LAYERNORM_BACKWARD, K_LINEAR, K_LINEAR_DX, K_LINEAR_DW, K_ATTENTION,
	K_ATTENTION_BACKWARD, K_ATTENTION_CACHED, K_ADD, K_DROPOUT, K_HEAD_LOSS, K_POOL, K_POOL_BACKWARD, K_CLASS_LOSS,
	K_BINARY_LOSS, K_GRAD_NORM, K_ADAMW, K_GELU_BACKWARD, K_GELU, K_PACK, K_LINEAR_PACKED,
	K_LINEAR_DW_NORM, K_GRAD_NORM_REST, K_LINEAR_DX_PACKED, K_ADAMW_PACKED, K_HEAD_LOSS_NORM,
	K_EMBED_BACKWARD_NORM, K_COUNT
};

enum atoll_dtype { DT_F32, DT_BF16, DT_F16, DT_I32 };
enum atoll_format { FORMAT_F32, FORMAT_BF16, FORMAT_I8, FORMAT_TWICE }; // kernels.Format
enum atoll_mode { MODE_OVERWRITE, MODE_ACCUMULATE, MODE_BY_STEP };
enum atoll_step { STEP_LOSS_SCALE, STEP_LEARNING_RATE, STEP_CORRECTION1, STEP_CORRECTION2, STEP_ACCUMULATE, STEP_INVERSE_SCALE };

// Laid out as kernels.Call.
typedef struct {
	uint32_t kernel, precision;
	uint64_t args[ATOLL_MAX_ARGS]; // segment << 56 | offset; all ones: absent
	int64_t dims[ATOLL_MAX_DIMS];
	float scalars[ATOLL_MAX_SCALARS];
} atoll_call;

typedef struct team team;

// A kernel runs on the thread that replays the program and hands parallel work to the team. arg holds the resolved
// arguments, NULL where absent. It returns 0, or 1 after writing what is wrong with its data to error (256 bytes).
typedef int atoll_kernel_fn(team *t, const atoll_call *c, void *const *arg, char *error);

// One instruction set's kernels: each variant_*.c fills one of these from the same sources.
typedef struct {
	const char *name;
	// peak does steps rounds of register arithmetic as the products of that precision do it, on two numbers at sink, and
	// gives how many floating-point operations those were (atoll_peak).
	double (*peak)(uint32_t precision, int64_t steps, volatile float *sink);
	int native_bf16; // whether products of bf16 multiply it as it is, where others convert it to fp32
	atoll_kernel_fn *kernels[K_COUNT];
} atoll_variant;

#endif
