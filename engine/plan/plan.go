// Package plan lays out the temporaries of a program in one arena: lifetimes go in, offsets come out. It is a pure
// function; it knows no device and allocates nothing but its answer.
package plan

import (
	"slices"

	"atoll/engine/ir"
	"atoll/kernels"
)

// Layout is the place of every temporary.
type Layout struct {
	Offsets []int64 // by value; -1 for values that are no temporaries, or that nothing uses
	Bytes   int64   // of the arena
	Floor   int64   // the most bytes that are alive at one instruction: no layout can be smaller
}

// interval is a temporary's life, in instructions, both ends included.
type interval struct {
	id          ir.ID
	first, last int
	bytes       int64
}

// Temporaries gives each temporary of p a place that it shares with no other one alive at the same time: the largest
// first, each as low as it fits (the greedy-by-size plan of Pisarchyk and Lee, 2020).
func Temporaries(p ir.Program) Layout {
	lives := lifetimes(p)
	layout := Layout{Offsets: make([]int64, len(p.Values)), Floor: floor(lives, len(p.Instrs))}
	for id := range layout.Offsets {
		layout.Offsets[id] = -1
	}
	slices.SortStableFunc(lives, func(a, b interval) int {
		switch {
		case a.bytes != b.bytes:
			return int(min(max(b.bytes-a.bytes, -1), 1))
		case a.first != b.first:
			return a.first - b.first
		}
		return int(a.id - b.id)
	})
	placed := make([]interval, 0, len(lives)) // by offset
	for _, v := range lives {
		at := lowest(placed, layout.Offsets, v)
		layout.Offsets[v.id] = at
		layout.Bytes = max(layout.Bytes, at+v.bytes)
		where, _ := slices.BinarySearchFunc(placed, at, func(q interval, at int64) int {
			return int(min(max(layout.Offsets[q.id]-at, -1), 1))
		})
		placed = slices.Insert(placed, where, v)
	}
	return layout
}

// lowest is the first gap among the placed values alive together with v that is large enough.
func lowest(placed []interval, offsets []int64, v interval) int64 {
	at := int64(0)
	for _, q := range placed {
		if q.last < v.first || v.last < q.first {
			continue
		}
		if offsets[q.id] >= at+v.bytes {
			break
		}
		at = max(at, offsets[q.id]+q.bytes)
	}
	return at
}

func lifetimes(p ir.Program) []interval {
	index := make([]int, len(p.Values))
	var lives []interval
	for n, i := range p.Instrs {
		for _, id := range i.Args {
			if id == ir.None || p.Values[id].Kind != ir.Temp {
				continue
			}
			if index[id] == 0 {
				lives = append(lives, interval{id: id, first: n, bytes: Align(p.Values[id].Bytes())})
				index[id] = len(lives)
			}
			lives[index[id]-1].last = n
		}
	}
	return lives
}

func floor(lives []interval, instrs int) int64 {
	change := make([]int64, instrs+1)
	for _, v := range lives {
		change[v.first] += v.bytes
		change[v.last+1] -= v.bytes
	}
	most, alive := int64(0), int64(0)
	for _, c := range change {
		alive += c
		most = max(most, alive)
	}
	return most
}

// Align rounds a size up to the alignment of buffers.
func Align(bytes int64) int64 {
	return (bytes + kernels.Alignment - 1) &^ (kernels.Alignment - 1)
}
