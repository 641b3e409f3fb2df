// For NVRTC: see stdint.h.
#pragma once

#define FLT_MAX 3.402823466e+38f
