// For NVRTC: size_t is built into it, and that is all that the kernels want.
#pragma once
