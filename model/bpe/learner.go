package bpe

import "container/heap"

// A learner finds merge rules one after the other. It keeps, for each pair of neighbouring tokens, how often it occurs
// and in which words, so that a step touches only the words that hold the merged pair.
type learner struct {
	tokens  []string
	rules   []rule
	known   map[string]int32 // id of each token; two pairs may make the same one
	words   []learnedWord
	pairs   map[[2]int32]*pairCount
	queue   pairQueue
	stepped int // number of steps so far, to tell the pairs that this one touched
}

// learnedWord is a word as the tokens found so far, and how often it occurs.
type learnedWord struct {
	ids   []int32
	count int64
}

// pairCount is a pair of neighbouring tokens.
type pairCount struct {
	pair    [2]int32
	count   int64
	words   []int32 // words that hold it, or held it once
	touched int     // last step that raised its count
}

func newLearner(words []countedWord) *learner {
	l := &learner{known: make(map[string]int32), pairs: make(map[[2]int32]*pairCount)}
	var id [256]int32
	for k, b := range alphabet().order {
		id[b] = int32(k)
		l.tokens = append(l.tokens, string([]byte{b}))
		l.known[l.tokens[k]] = int32(k)
	}
	total := 0
	for _, w := range words {
		total += len(w.word)
	}
	all := make([]int32, 0, total)
	for k, w := range words {
		start := len(all)
		for i := range len(w.word) {
			all = append(all, id[w.word[i]])
		}
		ids := all[start:]
		l.words = append(l.words, learnedWord{ids, w.count})
		for i := 1; i < len(ids); i++ {
			l.raise([2]int32{ids[i-1], ids[i]}, w.count, int32(k))
		}
	}
	for _, p := range l.pairs {
		l.queue = append(l.queue, queuedPair{p, p.count})
	}
	heap.Init(&l.queue)
	return l
}

// raise adds to the count of a pair found in a word, and tells whether this step did so for the first time.
func (l *learner) raise(pair [2]int32, count int64, word int32) (p *pairCount, first bool) {
	p = l.pairs[pair]
	if p == nil {
		p = &pairCount{pair: pair, touched: -1}
		l.pairs[pair] = p
	}
	p.count += count
	if n := len(p.words); n == 0 || p.words[n-1] != word {
		p.words = append(p.words, word)
	}
	first = p.touched != l.stepped
	p.touched = l.stepped
	return p, first
}

// step merges the most frequent pair; false if none is frequent enough.
func (l *learner) step() bool {
	p := l.most()
	if p == nil {
		return false
	}
	l.stepped++
	token := l.tokens[p.pair[0]] + l.tokens[p.pair[1]]
	merged, ok := l.known[token]
	if !ok {
		merged = int32(len(l.tokens))
		l.known[token] = merged
		l.tokens = append(l.tokens, token)
	}
	l.rules = append(l.rules, rule{p.pair[0], p.pair[1], merged})
	var raised []*pairCount
	for _, word := range p.words {
		raised = l.mergeIn(word, p.pair, merged, raised)
	}
	delete(l.pairs, p.pair)
	p.count = 0
	for _, r := range raised {
		heap.Push(&l.queue, queuedPair{r, r.count})
	}
	return true
}

// most takes the most frequent pair off the queue. Counts fall without the queue being told; a pair whose count is not
// what it was queued with goes back with the count it has.
func (l *learner) most() *pairCount {
	for len(l.queue) > 0 {
		top := heap.Pop(&l.queue).(queuedPair)
		if top.count == top.pairCount.count && top.count >= minPairs {
			return top.pairCount
		}
		if top.pairCount.count >= minPairs && top.pairCount.count < top.count {
			heap.Push(&l.queue, queuedPair{top.pairCount, top.pairCount.count})
		}
	}
	return nil
}

// mergeIn merges a pair in one word, from left to right, and moves the counts of the neighbouring pairs. It appends the
// pairs that this step raised for the first time.
func (l *learner) mergeIn(word int32, pair [2]int32, merged int32, raised []*pairCount) []*pairCount {
	w := &l.words[word]
	ids := w.ids
	change := func(lost, gained [2]int32) {
		if p := l.pairs[lost]; p != nil {
			p.count -= w.count
		}
		if p, first := l.raise(gained, w.count, word); first {
			raised = append(raised, p)
		}
	}
	n := 0 // ids[:n] are done
	for i := 0; i < len(ids); i++ {
		if ids[i] != pair[0] || i+1 == len(ids) || ids[i+1] != pair[1] {
			ids[n] = ids[i]
			n++
			continue
		}
		if n > 0 {
			change([2]int32{ids[n-1], pair[0]}, [2]int32{ids[n-1], merged})
		}
		if i+2 < len(ids) {
			change([2]int32{pair[1], ids[i+2]}, [2]int32{merged, ids[i+2]})
		}
		ids[n] = merged
		n++
		i++
	}
	w.ids = ids[:n]
	return raised
}

// queuedPair is a pair with the count it had when it was queued.
type queuedPair struct {
	*pairCount
	count int64
}

// pairQueue is a heap with the most frequent pair on top, of equal ones that with the smaller ids.
type pairQueue []queuedPair

func (q pairQueue) Len() int      { return len(q) }
func (q pairQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *pairQueue) Push(x any)   { *q = append(*q, x.(queuedPair)) }

func (q pairQueue) Less(i, j int) bool {
	a, b := q[i], q[j]
	if a.count != b.count {
		return a.count > b.count
	}
	if a.pair[0] != b.pair[0] {
		return a.pair[0] < b.pair[0]
	}
	return a.pair[1] < b.pair[1]
}

func (q *pairQueue) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = queuedPair{}
	*q = old[:len(old)-1]
	return last
}
