// The words for accesses that may not be. Those of a running thread end its launch.
#pragma once

#include <stddef.h>

#include "shadow.h"

namespace emulator {

[[noreturn]] void bad_alignment(access kind, const void *p, size_t bytes, const void *from);
[[noreturn]] void bad_shared(access kind, const void *p, size_t bytes, const void *from); // beyond what the launch asked for
[[noreturn]] void bad_address(access kind, const void *p, size_t bytes, const void *from);
[[noreturn]] void bad_order(access kind, const void *p, size_t bytes, const void *from); // wrong says how

// The same for an operation that is no kernel; they are a CUresult.
int bad_range(const char *name, access kind, const void *p, size_t bytes);
int bad_range_order(const char *name, access kind, const void *p, size_t bytes);

}
