// Asynchronous copies into shared memory.
#pragma once

namespace emulator {

// forget_copies drops what no thread of the block waited for.
void forget_copies();

}
