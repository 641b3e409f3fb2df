#ifdef __x86_64__
#define _GNU_SOURCE // syscall
#include "run.h"

#include <sys/syscall.h>
#include <unistd.h>

// The numbers are the kernel's (arch/x86/include/uapi/asm/prctl.h, and the component of tile data in the saved state), from Linux 5.16 on.
enum { ASK_FOR_STATE = 0x1023, TILE_DATA = 18 };

int atoll_allow_tiles(void) { return syscall(SYS_arch_prctl, ASK_FOR_STATE, TILE_DATA) == 0; }
#endif
