package data

import (
	"fmt"
	"io"
	"slices"
)

// Ignored is the target of a position that has nothing to predict, and the label of an unused row.
const Ignored = -100

// TokenLoader gives windows of the token stream for language modelling. Window k covers tokens kT to kT+T: the first T
// are its inputs, the last T its targets, so that windows overlap by one token and every token but the first is the target
// of exactly one position an epoch. The last window may be shorter. Windows come in an order drawn from seed and epoch;
// the last batch of an epoch may have unused rows.
//
// A loader is for one goroutine.
type TokenLoader struct {
	split   *Split
	opts    LoaderOptions
	windows int64
	batches int64 // an epoch
	state   State // of batches consumed
	ahead   State // of batches made
	order   permutation
	ring    *ring[TokenBatch]
	tokens  []int32
	buf     []byte
}

// TokenBatch is B windows of T tokens, row by row. It is valid until the loader's next call of Next, Restore or Close.
type TokenBatch struct {
	Inputs      []int32 // [B,T]; the end-of-text token where there is nothing
	Targets     []int32 // [B,T]; Ignored where there is nothing to predict
	Rows        int     // rows in use, the first ones
	TargetCount int     // targets that are not Ignored
	Epoch       int
	Index       int64 // of the batch in its epoch

	windows []int64 // of the rows in use
	state   State   // behind it
}

// NewTokenLoader begins at the start of epoch 0. Close it after use.
func NewTokenLoader(split *Split, opts LoaderOptions) (*TokenLoader, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if split.Tokens() < 2 {
		return nil, fmt.Errorf("split %s of %s has %d tokens, want at least 2: give more text or another --split",
			split.Name(), split.set.dir, split.Tokens())
	}
	T, B := int64(opts.T), int64(opts.B)
	l := &TokenLoader{split: split, opts: opts, windows: (split.Tokens() - 1 + T - 1) / T,
		tokens: make([]int32, opts.T+1), buf: make([]byte, 0, 4*(opts.T+1))}
	l.batches = (l.windows + B - 1) / B
	l.state = newState("tokens", split, opts)
	l.ring = newRing(opts.Prefetch, func() *TokenBatch {
		n := opts.B * opts.T
		return &TokenBatch{Inputs: make([]int32, n), Targets: make([]int32, n), windows: make([]int64, 0, opts.B)}
	})
	return l, nil
}

// Batches is the number of batches an epoch.
func (l *TokenLoader) Batches() int64 { return l.batches }

// State is the position behind the batches that Next has given, not those made ahead.
func (l *TokenLoader) State() State { return l.state }

// Restore goes to a position saved by a loader of the same data, split, B, T and seed.
func (l *TokenLoader) Restore(state State) error {
	if err := restorable(l.state, state, l.batches); err != nil {
		return err
	}
	l.ring.close()
	l.state = state
	return nil
}

// Next gives the next batch. With InOrder io.EOF follows the last. Any other error is final until Restore.
func (l *TokenLoader) Next() (*TokenBatch, error) {
	if !l.ring.running() {
		l.ahead = l.state
		l.order = newPermutation(l.windows, l.opts.Seed, l.ahead.Epoch)
		l.ring.start(l.fill)
	}
	b, err := l.ring.next()
	if err != nil {
		return nil, err
	}
	l.state = b.state
	return b, nil
}

// Close ends the goroutine that makes batches. The position stays.
func (l *TokenLoader) Close() { l.ring.close() }

// fill makes the batch at l.ahead; it runs in the ring's goroutine.
func (l *TokenLoader) fill(b *TokenBatch) error {
	s := &l.ahead
	if s.Next == l.batches {
		return io.EOF
	}
	if s.Next == 0 {
		l.order = newPermutation(l.windows, l.opts.Seed, s.Epoch)
	}
	b.Epoch, b.Index = s.Epoch, s.Next
	b.Rows, b.TargetCount, b.windows = 0, 0, b.windows[:0]
	first := s.Next * int64(l.opts.B)
	for row := range l.opts.B {
		place := first + int64(row)
		if place >= l.windows {
			l.fillRow(b, row, nil)
			continue
		}
		window := place
		if !l.opts.InOrder {
			window = l.order.at(place)
		}
		at := window * int64(l.opts.T)
		n := min(int64(l.opts.T)+1, l.split.Tokens()-at)
		if err := l.split.read(l.tokens[:n], at, l.buf); err != nil {
			return err
		}
		l.fillRow(b, row, l.tokens[:n])
		b.windows = append(b.windows, window)
		b.Rows++
		b.TargetCount += int(n) - 1
	}
	s.advance(l.batches)
	s.Batches++
	s.Targets += int64(b.TargetCount)
	b.state = *s
	return nil
}

// fillRow puts a window's tokens, or nothing, into a row.
func (l *TokenLoader) fillRow(b *TokenBatch, row int, tokens []int32) {
	inputs := b.Inputs[row*l.opts.T : (row+1)*l.opts.T]
	targets := b.Targets[row*l.opts.T : (row+1)*l.opts.T]
	n := max(len(tokens)-1, 0)
	if n > 0 {
		copy(inputs, tokens[:n])
		copy(targets, tokens[1:])
	}
	for i := n; i < len(inputs); i++ {
		inputs[i] = l.split.set.Manifest.Tokenizer.EndOfText
		targets[i] = Ignored
	}
}

// Documents lists the documents that a batch has tokens of, ascending; Split.Origin says where each came from.
func (l *TokenLoader) Documents(b *TokenBatch) []int {
	var documents []int
	for _, window := range b.windows {
		begin := window * int64(l.opts.T)
		last := l.split.documentAt(min(begin+int64(l.opts.T), l.split.Tokens()-1))
		for i := l.split.documentAt(begin); i <= last; i++ {
			documents = append(documents, i)
		}
	}
	slices.Sort(documents)
	return slices.Compact(documents)
}
