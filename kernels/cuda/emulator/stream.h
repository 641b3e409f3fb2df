// Streams: queues of operations. Nothing runs before something waits for it, so that a missing wait shows; and then just what that
// wait needs: an operation, those before it in its stream, and those that they wait for in others.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "block.h"
#include "order.h"
#include "queue.h"

namespace emulator {

struct stream;
struct capture;

// A place in a stream: behind its first count operations. An event that was recorded is one.
struct moment {
	std::shared_ptr<stream> of;
	uint64_t count = 0;
	clock seen;                  // by the stream there, once it is reached; in a capture by its lane
	std::shared_ptr<capture> in; // the capture that it was recorded in, or null
};

enum operation_kind { LAUNCH, FILL, COPY, HOST, RECORD, WAIT };

struct operation {
	operation_kind kind;
	const char *call;                            // of the driver, for reports
	operation(operation_kind kind, const char *call) : kind(kind), call(call) {}

	const emulated_kernel *kernel = nullptr;     // LAUNCH
	dim3 grid, block;                            // LAUNCH
	unsigned shared = 0;                         // LAUNCH
	std::vector<std::vector<unsigned char>> parameters; // LAUNCH
	char *out = nullptr;                         // FILL, COPY
	const char *in = nullptr;                    // COPY; null: data
	size_t bytes = 0;                            // FILL, COPY
	int value = 0;                               // FILL
	emulated_host_work *work = nullptr;          // HOST
	std::vector<emulated_range> reads, writes;   // HOST
	std::vector<unsigned char> data;             // HOST: the context; COPY: what lay in memory that is not pinned
	std::shared_ptr<const clock> asked;          // what the host had waited for when it asked for this
	std::shared_ptr<moment> place;               // RECORD, WAIT; in a graph it stands for the one that a launch makes
};

struct stream {
	std::deque<operation> queue;
	uint64_t done = 0; // operations that ran
	size_t timeline = new_timeline();
	clock seen;        // by its operations up to there
	std::shared_ptr<capture> recording;
	size_t lane = 0; // in it
	uint64_t queued() const { return done + queue.size(); }
};

// enqueue puts the operation into the stream, or into the graph that is captured from it. Like all here it is a CUresult.
int enqueue(const std::shared_ptr<stream> &s, operation o);

// wait_for runs all operations of a stream, or those up to a moment, as far as they have not run; the host has waited for them then.
int wait_for(const std::shared_ptr<stream> &s);
int wait_for(const moment &m);

// passed notes that the host found the moment to be past.
void passed(const moment &m);

}
