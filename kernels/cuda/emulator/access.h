// Checks of a kernel's accesses to memory, and of the driver's own on behalf of operations.
#pragma once

#include <stddef.h>

#include "shadow.h"

namespace emulator {

// check_access checks an access of the running thread. alignment is what the address must be a multiple of. from is where in
// the code it is, for the report.
template <access kind> void check_access(const void *p, size_t bytes, size_t alignment, const void *from);

// check_range does so for an operation that is no kernel, with its name and its bytes in device memory. It is a CUresult.
template <access kind> int check_range(const char *name, const void *p, size_t bytes);

// set_stack says which stack the running thread may use as it likes.
void set_stack(const char *low, size_t bytes);

}
