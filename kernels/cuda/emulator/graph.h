// Graphs: what streams were asked for while one of them was captured. An event that is recorded in a captured stream and waited
// for in another draws that one in; before the end of the capture the first stream must have waited for all others.
#pragma once

#include "stream.h"

namespace emulator {

struct node {
	operation what;
	size_t lane; // which of the captured streams; 0 is the one that the capture began on
};

struct graph {
	std::vector<node> nodes; // in the order of the calls, which is one that suits all waits
	size_t lanes = 0;
};

// A lane's clock says how many operations of each lane lie before its next one.
struct capture {
	graph recorded;
	std::vector<std::shared_ptr<stream>> streams;
	std::vector<clock> clocks;
};

// An executable graph has a stream of its own for every lane but the first, which runs in the stream it is launched on.
struct executable {
	graph of;
	std::vector<std::shared_ptr<stream>> lanes;
};

int capture_begin(const std::shared_ptr<stream> &s);
int capture_end(const std::shared_ptr<stream> &s, graph **out);
int capture_wait(const std::shared_ptr<stream> &s, const std::shared_ptr<moment> &place);
int capture_operation(const std::shared_ptr<stream> &s, operation o);
int launch_graph(executable *e, const std::shared_ptr<stream> &s);

}
