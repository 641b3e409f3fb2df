// Warp operations: shuffles and votes. See warp.h.
#include "block.h"

namespace emulator {

struct shuffled {
	uint64_t x;
	int from;
	uint64_t result;
};

static void shuffle(void *const operands[WARP]) {
	for (int i = 0; i < WARP; i++) {
		shuffled *lane = (shuffled *)operands[i];
		lane->result = ((const shuffled *)operands[lane->from & (WARP - 1)])->x;
	}
}

struct vote {
	int predicate;
	unsigned result;
};

static void ballot(void *const operands[WARP]) {
	unsigned set = 0;
	for (int i = 0; i < WARP; i++) set |= (unsigned)(((const vote *)operands[i])->predicate != 0) << i;
	for (int i = 0; i < WARP; i++) ((vote *)operands[i])->result = set;
}

static void nothing(void *const *) {}

static const warp_operation shuffling = {"a shuffle", shuffle}, voting = {"a vote", ballot}, meeting = {"__syncwarp", nothing};

}

using namespace emulator;

uint64_t emulated_shuffle(unsigned mask, uint64_t x, int from, emulated_site at) {
	shuffled lane = {x, from, 0};
	meet(&shuffling, &lane, mask, at);
	return lane.result;
}

unsigned emulated_ballot(unsigned mask, int predicate, emulated_site at) {
	vote lane = {predicate, 0};
	meet(&voting, &lane, mask, at);
	return lane.result;
}

void emulated_syncwarp(unsigned mask, emulated_site at) { meet(&meeting, nullptr, mask, at); }
