// Fills one variant's table. A variant file includes this last, with VL, VARIANT and VARIANT_NAME defined.
// Each kernel is a static atoll_kernel_fn named as its kernel. An entry that is NULL is reported by atoll_run.
#include "team.h"
#include "vector.h"

#if __has_include("adamw.h")
#include "adamw.h"
#endif
#if __has_include("attention.h")
#include "attention.h"
#endif
#if __has_include("head_loss.h")
#include "head_loss.h"
#endif
#if __has_include("linear.h")
#include "linear.h"
#endif
#if __has_include("losses.h")
#include "losses.h"
#endif
#if __has_include("rows.h")
#include "rows.h"
#endif

const atoll_variant VARIANT = {
	VARIANT_NAME,
	{
#if __has_include("rows.h")
		[K_EMBED] = embed,
		[K_EMBED_BACKWARD] = embed_backward,
		[K_LAYERNORM] = layernorm,
		[K_LAYERNORM_BACKWARD] = layernorm_backward,
		[K_ADD] = add,
		[K_DROPOUT] = dropout,
		[K_POOL] = pool,
		[K_POOL_BACKWARD] = pool_backward,
#endif
#if __has_include("linear.h")
		[K_LINEAR] = linear,
		[K_LINEAR_DX] = linear_dx,
		[K_LINEAR_DW] = linear_dw,
		[K_GELU_BACKWARD] = gelu_backward,
#endif
#if __has_include("attention.h")
		[K_ATTENTION] = attention,
		[K_ATTENTION_BACKWARD] = attention_backward,
		[K_ATTENTION_CACHED] = attention_cached,
#endif
#if __has_include("head_loss.h")
		[K_HEAD_LOSS] = head_loss,
#endif
#if __has_include("losses.h")
		[K_CLASS_LOSS] = class_loss,
		[K_BINARY_LOSS] = binary_loss,
#endif
#if __has_include("adamw.h")
		[K_GRAD_NORM] = grad_norm,
		[K_ADAMW] = adamw,
#endif
	},
};
