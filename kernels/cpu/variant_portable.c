// The kernels in plain C with vectors of four floats: NEON on ARM64, SSE2 on AMD64, whatever the compiler makes elsewhere.
#if defined __ARM_NEON && defined __aarch64__
#include <arm_neon.h>
#elif defined __SSE2__
#include <emmintrin.h>
#endif

#define VARIANT atoll_portable
#define VARIANT_NAME "portable"
#define VL 4
#include "table.h"
