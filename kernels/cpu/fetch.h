// Memory that is fetched a few lines at a time, while a worker computes.
#ifndef ATOLL_FETCH_H
#define ATOLL_FETCH_H

#include "lanes.h"

// The functions that prefetch are always inlined: GCC takes one that does nothing else for a function without effect, and
// deletes its calls.

// Memory to fetch: left lines from line line of row at on, lines of them in a row and the rows ld bytes apart.
typedef struct {
	const char *at;
	int64_t ld, lines, line, left;
} fetches;

// fetch fetches the next lines into the second cache.
inl void fetch(fetches *f, int64_t lines) {
	for (lines = smaller(lines, f->left), f->left -= lines; lines > 0; lines--) {
		__builtin_prefetch(f->at + f->line * 64, 0, 2);
		if (++f->line == f->lines) f->line = 0, f->at += f->ld;
	}
}

// What the store of a tile is about, in one of the tensors that it reads or writes: rows rows from at on, ld bytes apart.
typedef struct {
	const char *at;
	int64_t ld, rows;
} tile_place;

// fetch_rows fetches the next rows into the first cache, to be written: each is in a page of its own.
inl void fetch_rows(tile_place *p, int64_t rows, const int64_t width, int64_t size) {
	for (rows = smaller(rows, p->rows), p->rows -= rows; rows > 0; rows--, p->at += p->ld)
		for (int64_t i = 0; i < width * 4; i += 64) __builtin_prefetch(p->at + i * size / 4, 1, 3);
}

// What is done while a tile is computed: lines of what comes next are fetched, and the places of what is stored, and, between products of AMX, which
// computes by itself, meanwhile does a little of what else there is to do, unless it is NULL: rows of the epilogue of the tile before, parts of
// what comes next.
enum { MOST_STORED = 3 };
typedef struct {
	void (*meanwhile)(void *of);
	void *of;
	fetches next;
	int64_t lines;
	tile_place stored[MOST_STORED];
	int64_t stored_size; // bytes of an element
} tile_fetches;

#endif
