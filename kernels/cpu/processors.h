// The processors that a thread may run on.
#ifndef ATOLL_PROCESSORS_H
#define ATOLL_PROCESSORS_H

enum { MOST_PROCESSORS = 1024 };

typedef struct {
	unsigned long bits[MOST_PROCESSORS / (8 * sizeof(unsigned long))];
} processors;

// processors_now is how many the calling thread may run on, and writes them to *p; 0 where the system does not say, or
// has more than MOST_PROCESSORS.
int processors_now(processors *p);

// processors_nth is the n-th of p alone.
processors processors_nth(const processors *p, int n);

// processors_use keeps the calling thread on p. A system that refuses leaves the thread as it was: slower, nothing else.
void processors_use(const processors *p);

#endif
