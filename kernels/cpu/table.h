// Fills one variant's table. A variant file includes this last, with VL, VARIANT and VARIANT_NAME defined.
// Each kernel is a static atoll_kernel_fn named as its kernel.
#include "team.h"
#include "vector.h"

#include "adamw_packed.h"
#include "attention_backward.h"
#include "attention_cached.h"
#include "head_loss.h"
#include "linear.h"
#include "losses.h"
#include "linear_packed.h"
#include "pack.h"
#include "peak.h"
#include "rows.h"

const atoll_variant VARIANT = {
	VARIANT_NAME,
	peak,
#ifdef NATIVE_BF16
	1,
#else
	0,
#endif
	{
		[K_EMBED] = embed,
		[K_EMBED_BACKWARD] = embed_backward,
		[K_LAYERNORM] = layernorm,
		[K_LAYERNORM_BACKWARD] = layernorm_backward,
		[K_ADD] = add,
		[K_DROPOUT] = dropout,
		[K_POOL] = pool,
		[K_POOL_BACKWARD] = pool_backward,
		[K_LINEAR] = linear,
		[K_LINEAR_DX] = linear_dx,
		[K_LINEAR_DW] = linear_dw,
		[K_GELU_BACKWARD] = gelu_backward,
		[K_GELU] = gelu_forward,
		[K_PACK] = pack_weight,
		[K_LINEAR_PACKED] = linear_packed,
		[K_LINEAR_DW_NORM] = linear_dw_norm,
		[K_ATTENTION] = attention,
		[K_ATTENTION_BACKWARD] = attention_backward,
		[K_ATTENTION_CACHED] = attention_cached,
		[K_HEAD_LOSS] = head_loss,
		[K_CLASS_LOSS] = class_loss,
		[K_BINARY_LOSS] = binary_loss,
		[K_HEAD_LOSS_NORM] = head_loss_norm,
		[K_EMBED_BACKWARD_NORM] = embed_backward_norm,
		[K_GRAD_NORM] = grad_norm,
		[K_GRAD_NORM_REST] = grad_norm_rest,
		[K_ADAMW] = adamw,
		[K_LINEAR_DX_PACKED] = linear_dx_packed,
		[K_ADAMW_PACKED] = adamw_packed,
	},
};
