// How a row of logits is cut, for the kernel and for its launcher. Plain C.
#ifndef ATOLL_HEAD_LOSS_H
#define ATOLL_HEAD_LOSS_H

// Two blocks fit on a processor, so that one reads while the other writes: by their registers, and by the shared memory in which a
// block keeps the front of its row, after 32 floats to sum up in.
#define HEAD_THREADS 768
#define HEAD_BLOCKS 2
#define HEAD_ROOM_BYTES 128
#define HEAD_KEPT_BYTES (72 << 10)

#endif
