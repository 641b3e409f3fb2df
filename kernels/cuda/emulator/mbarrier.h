// Barriers in shared memory, and what follows from them: which warp has heard of which reads and copies of tiles. A warp knows,
// for every other warp, how much of what that one did happened before, and for every barrier, which of its phases. A product
// may read what came with a phase that its warp knows; a box may overwrite what was read by warps from which its thread has
// heard since.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace emulator {

enum { LINE = 128 }; // bytes of shared memory that are one for these checks: a row of a box

// forget_barriers forgets all of a block's.
void forget_barriers();

// check_line checks that a product of the running warp may read the line at an offset in shared memory. read_line notes that it
// did.
void check_line(size_t offset);
void read_line(size_t offset);

}
