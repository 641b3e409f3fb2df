package bpe

// maxKept is the length in bytes of the longest word whose scratch memory is kept for the next one.
const maxKept = 1 << 16

// longWord is the scratch memory to merge a long word in n log n steps: a doubly linked list of ids and a heap of the
// pairs that a rule merges. A byte of the word costs at most 28 bytes.
type longWord struct {
	ids        []int32 // -1 once merged into its left neighbour
	prev, next []int32 // -1 at the ends
	heap       []uint64
}

// appendMergedLong does what appendMerged does, for a word of any length.
func (t *Tokenizer) appendMergedLong(dst []int32, word string) []int32 {
	w := t.scratch.Get().(*longWord)
	w.reset(t, word)
	for len(w.heap) > 0 {
		top := w.pop()
		rank, at := uint32(top>>32), int32(uint32(top))
		// An entry is stale when the pair at its place has changed since; the rank tells, as no two pairs share one.
		if w.ids[at] < 0 || w.rank(t, at) != rank {
			continue
		}
		w.merge(at, t.merged[rank])
		if before := w.prev[at]; before >= 0 {
			w.push(w.rank(t, before), before)
		}
		w.push(w.rank(t, at), at)
	}
	for at := int32(0); at >= 0; at = w.next[at] {
		dst = append(dst, w.ids[at])
	}
	if len(word) <= maxKept {
		t.scratch.Put(w)
	}
	return dst
}

// reset fills the list with the word's bytes and the heap with its pairs.
func (w *longWord) reset(t *Tokenizer, word string) {
	w.ids, w.prev, w.next, w.heap = w.ids[:0], w.prev[:0], w.next[:0], w.heap[:0]
	for i := range len(word) {
		w.ids = append(w.ids, t.bytes[word[i]])
		w.prev = append(w.prev, int32(i-1))
		w.next = append(w.next, int32(i+1))
	}
	w.next[len(word)-1] = -1
	for i := range int32(len(word)) {
		w.push(w.rank(t, i), i)
	}
}

// rank gives the rank of the pair that begins at a place of the list.
func (w *longWord) rank(t *Tokenizer, at int32) uint32 {
	after := w.next[at]
	if after < 0 {
		return noRank
	}
	return t.pairs.rank(w.ids[at], w.ids[after])
}

// merge replaces the pair that begins at a place of the list by one id.
func (w *longWord) merge(at, id int32) {
	gone := w.next[at]
	w.ids[at], w.ids[gone] = id, -1
	w.next[at] = w.next[gone]
	if after := w.next[at]; after >= 0 {
		w.prev[after] = at
	}
}

// push adds a pair to the heap, unless no rule merges it. The smallest rank is on top, of equal ones the leftmost.
func (w *longWord) push(rank uint32, at int32) {
	if rank == noRank {
		return
	}
	w.heap = append(w.heap, uint64(rank)<<32|uint64(uint32(at)))
	h, i := w.heap, len(w.heap)-1
	for i > 0 && h[i] < h[(i-1)/2] {
		h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
		i = (i - 1) / 2
	}
}

// pop takes the top off the heap.
func (w *longWord) pop() uint64 {
	h := w.heap
	top, n := h[0], len(h)-1
	h[0], h = h[n], h[:n]
	for i := 0; ; {
		child := 2*i + 1
		if child >= n {
			break
		}
		if child+1 < n && h[child+1] < h[child] {
			child++
		}
		if h[i] <= h[child] {
			break
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
	w.heap = h
	return top
}
