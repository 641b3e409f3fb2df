// See graph.h.
#include "graph.h"

#include <map>

#include "codes.h"

namespace emulator {

static void draw_in(const std::shared_ptr<capture> &c, const std::shared_ptr<stream> &s) {
	s->recording = c;
	s->lane = c->streams.size();
	c->streams.push_back(s);
	c->clocks.emplace_back();
}

int capture_begin(const std::shared_ptr<stream> &s) {
	if (s->recording) return ILLEGAL_STATE;
	draw_in(std::make_shared<capture>(), s);
	return SUCCESS;
}

int capture_operation(const std::shared_ptr<stream> &s, operation o) {
	std::shared_ptr<capture> c = s->recording;
	if (o.kind == WAIT) {
		if (o.place->in && o.place->in != c) return CAPTURE_MERGE;
		if (!o.place->in) return CAPTURE_ISOLATION;
	}
	clock *mine = &c->clocks[s->lane];
	if (mine->size() <= s->lane) mine->resize(s->lane + 1);
	if (o.kind == WAIT) join(mine, o.place->seen);
	(*mine)[s->lane]++;
	if (o.kind == RECORD) o.place->in = c, o.place->seen = *mine;
	c->recorded.nodes.push_back({std::move(o), s->lane});
	return SUCCESS;
}

int capture_wait(const std::shared_ptr<stream> &s, const std::shared_ptr<moment> &place) {
	if (!s->recording && place->in) draw_in(place->in, s);
	operation o(WAIT, "cuStreamWaitEvent");
	o.place = place;
	return enqueue(s, o);
}

// unjoined is whether the first lane's end has not waited for the end of another.
static bool unjoined(const capture *c) {
	for (size_t lane = 1; lane < c->streams.size(); lane++) {
		const clock &own = c->clocks[lane];
		if (lane < own.size() && !covers(c->clocks[0], lane, own[lane])) return true;
	}
	return false;
}

int capture_end(const std::shared_ptr<stream> &s, graph **out) {
	*out = nullptr;
	std::shared_ptr<capture> c = s->recording;
	if (!c) return ILLEGAL_STATE;
	if (s->lane != 0) return CAPTURE_UNMATCHED;
	bool loose = unjoined(c.get());
	for (auto &each : c->streams) each->recording = nullptr, each->lane = 0;
	c->recorded.lanes = c->streams.size();
	c->streams.clear();
	if (loose) return CAPTURE_UNJOINED;
	*out = new graph(std::move(c->recorded));
	return SUCCESS;
}

int launch_graph(executable *e, const std::shared_ptr<stream> &s) {
	while (e->lanes.size() + 1 < e->of.lanes) e->lanes.push_back(std::make_shared<stream>());
	std::map<const moment *, std::shared_ptr<moment>> places;
	for (const node &n : e->of.nodes) {
		const std::shared_ptr<stream> &lane = n.lane == 0 ? s : e->lanes[n.lane - 1];
		operation o = n.what;
		if (o.kind == RECORD || o.kind == WAIT) {
			std::shared_ptr<moment> &place = places[o.place.get()];
			if (o.kind == RECORD) place = std::make_shared<moment>(moment{lane, lane->queued() + 1, {}, nullptr});
			o.place = place;
		}
		if (int error = enqueue(lane, std::move(o))) return error;
	}
	return SUCCESS;
}

}
