// Lines of the source from addresses in the code.
#pragma once

#include <string>

namespace emulator {

// source_of is the file and line of the call that returns to the address, as addr2line tells it, or else where in the library it
// is. Empty where neither is known.
std::string source_of(const void *return_address);

// short_path is a file's path from kernels/cuda on, where that is in it.
std::string short_path(const char *file);

}
