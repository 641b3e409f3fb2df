// cuTensorMapEncodeTiled: the rules of the driver, as far as kernels/cuda uses it.
#include "driver.h"
#include "tensor_map.h"

using namespace emulator;

enum { FLOAT16 = 6, BFLOAT16 = 9, HALF_BYTES = 2, RANK = 3, NO_INTERLEAVE = 0, SWIZZLE_128 = 3, SWIZZLE_BYTES = 128,
	MOST_BOX = 256 };

static bool suits(int type, uint32_t rank, int interleave, int swizzle) {
	return (type == FLOAT16 || type == BFLOAT16) && rank == RANK && interleave == NO_INTERLEAVE && swizzle == SWIZZLE_128;
}

EXPORT int cuTensorMapEncodeTiled(void *map, int type, uint32_t rank, void *address, const uint64_t *sizes,
	const uint64_t *strides,
	const uint32_t *box, const uint32_t *steps, int interleave, int swizzle, int promotion, int fill) {
	ENTER_WITHOUT_CONTEXT(cuTensorMapEncodeTiled);
	if (!suits(type, rank, interleave, swizzle) || promotion < 0 || promotion > 3 || fill) return NOT_SUPPORTED;
	if (!map || (uintptr_t)map % 64 || !address || (uintptr_t)address % 16) return INVALID_VALUE;
	emulated_tensor_map *m = (emulated_tensor_map *)map;
	*m = {EMULATED_TENSOR_MAP, (uint64_t)address, {}, {HALF_BYTES}, {}, {}};
	for (uint32_t i = 0; i < RANK; i++) {
		if (!sizes[i] || sizes[i] > (uint64_t)1 << 32 || !box[i] || box[i] > MOST_BOX || steps[i] != 1) return INVALID_VALUE;
		m->size[i] = sizes[i], m->box[i] = box[i];
		if (i && (strides[i - 1] % 16 || strides[i - 1] >= (uint64_t)1 << 40)) return INVALID_VALUE;
		if (i) m->stride[i] = strides[i - 1];
	}
	return box[0] * HALF_BYTES > SWIZZLE_BYTES || box[0] * HALF_BYTES % 16 ? INVALID_VALUE : SUCCESS;
}
