// How a block of column_sum lies over a matrix, for the kernel and for the launcher. Plain C.
#ifndef ATOLL_SOURCE_COLUMN_SUM_H
#define ATOLL_SOURCE_COLUMN_SUM_H

enum { SUM_ACROSS = 32, SUM_DOWN = 8 }; // threads: packs of 16 bytes in a row, and rows at a time

#endif
