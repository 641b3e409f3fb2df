// The threads of a CPU device. They stay awake for the length of a program and sleep between programs.
#ifndef ATOLL_TEAM_H
#define ATOLL_TEAM_H

#include "program.h"

// body is called once for each i in 0..n-1, by any worker in any order, though worker w of W begins with the w-th of W equal shares of
// the indices: let index follow the rows, so that a row meets the same caches again. worker is below team_size. Results must not
// depend on which worker does what: the same bits for any number of threads is a promise of the project.
typedef void team_body(void *arg, int64_t i, int worker);

team *team_new(int threads);
void team_free(team *t);
int team_size(const team *t);

// team_wake and team_rest bracket a program: between them the workers spin for work (for a bounded time, then yield).
void team_wake(team *t);
void team_rest(team *t);

// team_for runs body over 0..n-1 on all workers, the caller included, and returns when all is done. Not nested.
void team_for(team *t, int64_t n, team_body *body, void *arg);

// team_end is where the share of a worker ends that team_for gives it of 0..n-1; what it takes beyond is another's.
int64_t team_end(const team *t, int64_t n, int worker);

// Some workers are slower than others: beside other load, or where the processors are of two kinds. A body that tells the team how much
// work its worker did, in whatever unit, and in how many seconds by team_clock, lets it learn how fast each of them is now. team_weigh takes
// what was told since it was last called, between two jobs; team_share is then where the share of a worker ends when 0..n-1 is cut by speed.
double team_clock(void);
void team_tell(team *t, int worker, double work, double took);
void team_weigh(team *t);
int64_t team_share(const team *t, int64_t n, int worker);

// Memory that lives as long as the team and only grows: one block per worker, and one shared by all. 64-byte aligned,
// contents undefined. NULL when the machine has no more (the kernel then returns an error). Call team_scratch for every
// worker before team_for, not inside of it.
void *team_scratch(team *t, int worker, size_t bytes);
void *team_shared(team *t, size_t bytes);

#endif
