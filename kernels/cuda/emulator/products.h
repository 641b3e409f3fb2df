// Products of a warpgroup.
#pragma once

namespace emulator {

// forget_products drops what no warp of the block waited for.
void forget_products();

}
