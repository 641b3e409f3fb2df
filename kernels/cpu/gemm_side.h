// The sides of a product's output, cut into pieces of whole tiles.
#ifndef ATOLL_GEMM_SIDE_H
#define ATOLL_GEMM_SIDE_H

#include "lanes.h"

// A side of n elements, cut into count pieces.
typedef struct {
	int64_t n, tile, count;
	int by_speed; // whether each worker's are as large as it is fast, else all of one size
} gemm_side;

// even_side cuts a side into about count pieces of one size, the last perhaps smaller.
static gemm_side even_side(int64_t n, int64_t tile, int64_t count) {
	const int64_t size = larger(1, pieces(pieces(n, count), tile)) * tile;
	return (gemm_side){n, tile, pieces(n, size), 0};
}

// side_begin is where piece i begins. The pieces of a side by speed follow the workers: each has as many.
static int64_t side_begin(const gemm_side *s, const team *t, int64_t i) {
	const int64_t tiles = pieces(s->n, s->tile);
	if (i >= s->count) return s->n;
	if (!s->by_speed) return smaller(s->n, i * pieces(tiles, s->count) * s->tile);
	const int64_t each = s->count / team_size(t);
	const int worker = (int)(i / each);
	const int64_t from = team_share(t, tiles, worker - 1), all = team_share(t, tiles, worker) - from;
	return smaller(s->n, (from + all * (i % each) / each) * s->tile);
}

// side_largest is the length of the longest piece in whole tiles.
static int64_t side_largest(const gemm_side *s, const team *t) {
	int64_t most = s->tile;
	if (!s->by_speed) return pieces(pieces(s->n, s->tile), s->count) * s->tile;
	for (int64_t i = 0; i < s->count; i++) most = larger(most, side_begin(s, t, i + 1) - side_begin(s, t, i));
	return pieces(most, s->tile) * s->tile;
}

#endif
