// See order.h.
#include "order.h"

#include <algorithm>
#include <deque>
#include <unordered_map>

namespace emulator {

// An operation that began, with its first interval.
struct begun {
	uint64_t interval;
	size_t stream;
	uint64_t count;
	const char *name;
};

static uint64_t intervals; // that began
static size_t timelines;
static std::deque<begun> history; // what some stream or the host may not have waited for
static clock seen;                // by the running operation
static std::shared_ptr<const clock> host = std::make_shared<clock>();
static std::unordered_multimap<const cell *, stamp> kept;

void join(clock *into, const clock &from) {
	if (into->size() < from.size()) into->resize(from.size());
	for (size_t i = 0; i < from.size(); i++) (*into)[i] = std::max((*into)[i], from[i]);
}

bool covers(const clock &c, size_t stream, uint64_t count) { return stream < c.size() && c[stream] >= count; }

size_t new_timeline() { return timelines++; }

std::shared_ptr<const clock> host_clock() { return host; }

void host_waited(const clock &c, bool idle) {
	clock more = *host;
	join(&more, c);
	host = std::make_shared<clock>(more);
	if (!idle) return;
	while (!history.empty() && covers(*host, history.front().stream, history.front().count)) history.pop_front();
	if (history.empty()) kept.clear();
}

stamp begin_interval() { return ++intervals << INTERVAL_AT; }

void begin_operation(size_t stream, uint64_t count, const clock &by, const char *name) {
	seen = by;
	stamp start = begin_interval(), floor = start;
	for (const begun &b : history)
		if (!covers(seen, b.stream, b.count)) {
			floor = b.interval << INTERVAL_AT;
			break;
		}
	history.push_back({intervals, stream, count, name});
	now = {start, floor, start, start, start, true};
}

// find is the operation that the interval belongs to, or null where all have waited for it.
static const begun *find(uint64_t interval) {
	auto behind = std::upper_bound(history.begin(), history.end(), interval, [](uint64_t i, const begun &b) { return i < b.interval; });
	return behind == history.begin() ? nullptr : &*(behind - 1);
}

bool happened_before(uint64_t interval) {
	const begun *b = find(interval);
	return !b || covers(seen, b->stream, b->count);
}

std::string operation_of(stamp s) {
	const begun *b = find(s >> INTERVAL_AT);
	return b ? b->name : "an earlier operation";
}

void keep_reader(const cell *c, stamp reader) { kept.insert({c, reader}); }

stamp kept_reader(const cell *c) {
	if (kept.empty()) return 0;
	auto [from, to] = kept.equal_range(c);
	for (auto at = from; at != to; ++at)
		if (!happened_before(at->second >> INTERVAL_AT)) return at->second;
	return 0;
}

}
