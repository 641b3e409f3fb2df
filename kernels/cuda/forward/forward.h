// A libcuda that need not be there. Every symbol of symbols.txt, which lists the calls that atoll makes, and of linked.txt, which
// lists what gorgonia.org/cu refers to besides with the headers of CUDA 12 or 13, jumps to the driver's own once forward_open has
// found it; before that, and without a driver, cuInit succeeds and all others answer CUDA_ERROR_NO_DEVICE.
#ifndef ATOLL_FORWARD_H
#define ATOLL_FORWARD_H

// forward_open loads the driver, from path where it is not NULL, and initialises it. It is 0 where that worked; else error (of
// size bytes) says why not and the result is the driver's own error, or -1 where no driver could be loaded. Not for several
// threads at once.
int forward_open(const char *path, char *error, int size);

#endif
