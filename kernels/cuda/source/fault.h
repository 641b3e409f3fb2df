// What a kernel finds wrong with its data on the device. Plain C: the host reads the same record.
#ifndef ATOLL_FAULT_H
#define ATOLL_FAULT_H

// FAULT_START holds the position of the first row in value and P in limit; the others value, the bound it breaks in limit
// (V, V, T, K in the order below) and the row in index.
enum fault_code { FAULT_NONE, FAULT_TOKEN, FAULT_TARGET, FAULT_LENGTH, FAULT_LABEL, FAULT_START };

// All zero: nothing is wrong. call is the index of the call in its program.
typedef struct {
	int code, call;
	int index, value, limit;
} fault_record;

#endif
