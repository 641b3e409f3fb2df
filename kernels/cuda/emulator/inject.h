// See inject.cpp.
#pragma once

#include <memory>

#include "stream.h"

namespace emulator {

void plant_fault(const std::shared_ptr<stream> &s);

}
