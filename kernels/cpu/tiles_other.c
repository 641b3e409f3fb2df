//go:build !linux

#include "run.h"

int atoll_allow_tiles(void) { return 0; }
