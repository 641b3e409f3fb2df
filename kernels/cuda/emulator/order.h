// The order of operations on streams: which ones happened before the one that runs, by the order of its stream, by events and by
// what the host waited for before it asked for it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "shadow.h"

namespace emulator {

// For every stream by its number, how many of its operations are known to have happened.
typedef std::vector<uint64_t> clock;

void join(clock *into, const clock &from);
bool covers(const clock &c, size_t stream, uint64_t count);

// new_timeline numbers a stream.
size_t new_timeline();

// host_clock is what the host has waited for; host_waited adds to it. idle: no stream has anything to do.
std::shared_ptr<const clock> host_clock();
void host_waited(const clock &c, bool idle);

// begin_operation begins the operation that is the stream's count-th, with all that seen says before it.
void begin_operation(size_t stream, uint64_t count, const clock &seen, const char *name);

// begin_interval begins an interval of the running operation: a block or a barrier.
stamp begin_interval();

// happened_before is whether the operation to which the interval belongs did; operation_of is its name.
bool happened_before(uint64_t interval);
std::string operation_of(stamp s);

// keep_reader notes a reader that is not in order with the next one. kept_reader is one of the cell's that is not in order
// with the running operation, or 0.
void keep_reader(const cell *c, stamp reader);
stamp kept_reader(const cell *c);

}
