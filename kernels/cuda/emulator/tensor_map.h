// A CUtensorMap as the emulated cuTensorMapEncodeTiled fills it: tensors of halves in three dimensions.
#pragma once

#include <stdint.h>

struct emulated_tensor_map {
	uint64_t magic, address;
	uint64_t size[3], stride[3]; // elements, and bytes from one to the next; stride[0] is that of an element
	uint32_t box[3];
	uint32_t unused[13];
};

static_assert(sizeof(emulated_tensor_map) == 128);

enum : uint64_t { EMULATED_TENSOR_MAP = 0x6174'6f6c'6c6d'6170 };
