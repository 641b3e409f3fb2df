// Errors of kernels. The first one is kept: the context answers every call with its code from then on, and cuGetErrorString with
// its words.
#pragma once

#include <string>

#include "codes.h"

namespace emulator {

// fail reports an error of the running thread, and ends the launch. The thread does not go on.
[[noreturn]] void fail(int code, const std::string &what);

// note_error keeps an error that is no single thread's.
void note_error(int code, const std::string &what);

// broken is the code that was kept, 0 where there was no error. report is its words, or null for other codes.
int broken();
const char *report(int code);

}
