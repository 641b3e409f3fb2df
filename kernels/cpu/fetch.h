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

// fetch_to fetches the next lines, into the first cache to be written where near is set, else into the second.
inl void fetch_to(fetches *f, int64_t lines, const int near) {
	for (lines = smaller(lines, f->left), f->left -= lines; lines > 0; lines--) {
		if (near) __builtin_prefetch(f->at + f->line * 64, 1, 3);
		else __builtin_prefetch(f->at + f->line * 64, 0, 2);
		if (++f->line == f->lines) f->line = 0, f->at += f->ld;
	}
}
inl void fetch(fetches *f, int64_t lines) { fetch_to(f, lines, 0); }

// What is fetched while a tile is computed: its share of what comes next, and the lines that its store is about.
enum { MOST_STORED = 3 };
typedef struct {
	fetches next, stored[MOST_STORED];
	int64_t next_lines, stored_lines; // of each
} tile_fetches;

inl void fetch_for_tile(tile_fetches *f, int64_t next_lines, int64_t stored_lines) {
	fetch(&f->next, next_lines);
	for (int i = 0; i < MOST_STORED; i++) fetch_to(&f->stored[i], stored_lines, 1);
}

#endif
