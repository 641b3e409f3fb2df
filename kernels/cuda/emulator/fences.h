// The order between blocks of one launch: what a thread and its block did before a __threadfence and an atomic operation by it
// happened before what another block does after an atomic operation on the same place. So the last of several blocks, which counts
// them so, may read what the others left.
#pragma once

#include "shadow.h"

namespace emulator {

void begin_grid();
void begin_block();

// fence and atomic note what the running thread does.
void fence();
void atomic(const volatile void *p);

// heard_from is whether what the stamp, of an earlier block of the launch, stands for happened before the present;
// heard_from_all whether all earlier blocks said something that the running one heard.
bool heard_from(stamp s);
bool heard_from_all();

// block_of is the number of the block that the stamp, of the running launch, belongs to.
uint64_t block_of(stamp s);

}
