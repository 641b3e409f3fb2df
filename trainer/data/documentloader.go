package data

import (
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
)

// poolBatches is how many batches' documents are sorted by length together: more wastes less padding, fewer keeps the
// order of an epoch closer to a plain shuffle.
const poolBatches = 64

// DocumentLoader gives whole documents with their labels, without the end-of-text token before them. A document longer
// than T keeps its first T tokens. Every document comes exactly once an epoch: all are shuffled by seed and epoch, cut
// into pools of 64 batches, sorted by length within a pool, cut into batches, and the batches are shuffled. A batch is
// padded on the right with the end-of-text token to BucketLength of its longest document.
//
// A loader is for one goroutine.
type DocumentLoader struct {
	split     *Split
	opts      LoaderOptions
	classes   int
	batches   int64
	truncated int
	state     State // of batches consumed
	ahead     State // of batches made
	ring      *ring[DocumentBatch]
	order     []int32 // documents of the epoch, batch after batch
	turns     []int32 // batches of order in the order they are given
	planned   int     // epoch that order is of; -1 is none
	buf       []byte
}

// DocumentBatch is up to B documents. It is valid until the loader's next call of Next, Restore or Close. Rows behind
// Rows are unused: length 0, label Ignored, no class set, inputs the end-of-text token.
type DocumentBatch struct {
	T         int       // tokens of a row: a bucket length
	Inputs    []int32   // [B,T]
	Lengths   []int32   // [B] tokens in use
	Labels    []int32   // [B] classify: the class
	LabelSets []float32 // [B,K] multilabel: 1 for a class the document has, else 0
	Documents []int     // of the rows in use
	Rows      int
	Epoch     int
	Index     int64 // of the batch in its epoch

	inputs []int32 // [B,longest T]
	state  State   // behind it
}

// BucketLength is the row length for documents of up to n tokens, at most T: the next multiple of 8 up to 64, of 16 up
// to 256, of 64 above. A bounded number of lengths keeps the number of compiled programs small.
func BucketLength(n, T int) int {
	step := 8
	switch {
	case n > 256:
		step = 64
	case n > 64:
		step = 16
	}
	return min((max(n, 1)+step-1)/step*step, T)
}

// NewDocumentLoader begins at the start of epoch 0. Close it after use.
func NewDocumentLoader(split *Split, opts LoaderOptions) (*DocumentLoader, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	m := split.set.Manifest
	if m.Task == LanguageModel {
		return nil, fmt.Errorf("%s has no labels (task lm), want task classify or multilabel: prepare it with --task", split.set.dir)
	}
	if split.Documents() == 0 {
		return nil, fmt.Errorf("split %s of %s is empty: give more rows or another --split", split.Name(), split.set.dir)
	}
	l := &DocumentLoader{split: split, opts: opts, classes: len(m.Labels), planned: -1, buf: make([]byte, 0, 4*opts.T),
		order: make([]int32, split.Documents())}
	l.batches = int64((split.Documents() + opts.B - 1) / opts.B)
	l.turns = make([]int32, l.batches)
	for i := range split.Documents() {
		if begin, end := split.span(i); end-begin > int64(opts.T) {
			l.truncated++
		}
	}
	l.state = newState("documents", split, opts)
	l.ring = newRing(opts.Prefetch, l.newBatch)
	return l, nil
}

func (l *DocumentLoader) newBatch() *DocumentBatch {
	b := &DocumentBatch{inputs: make([]int32, l.opts.B*l.opts.T), Lengths: make([]int32, l.opts.B), Documents: make([]int, 0, l.opts.B)}
	if l.split.set.Manifest.Task == Classify {
		b.Labels = make([]int32, l.opts.B)
	} else {
		b.LabelSets = make([]float32, l.opts.B*l.classes)
	}
	return b
}

// Batches is the number of batches an epoch.
func (l *DocumentLoader) Batches() int64 { return l.batches }

// Truncated is the number of documents longer than T.
func (l *DocumentLoader) Truncated() int { return l.truncated }

// State is the position behind the batches that Next has given, not those made ahead.
func (l *DocumentLoader) State() State { return l.state }

// Restore goes to a position saved by a loader of the same data, split, B, T and seed.
func (l *DocumentLoader) Restore(state State) error {
	if err := restorable(l.state, state, l.batches); err != nil {
		return err
	}
	l.ring.close()
	l.state = state
	return nil
}

// Next gives the next batch. With InOrder io.EOF follows the last. Any other error is final until Restore.
func (l *DocumentLoader) Next() (*DocumentBatch, error) {
	if !l.ring.running() {
		l.ahead = l.state
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
func (l *DocumentLoader) Close() { l.ring.close() }

// plan draws the order of an epoch.
func (l *DocumentLoader) plan(epoch int) {
	if l.planned == epoch {
		return
	}
	l.planned = epoch
	for i := range l.order {
		l.order[i] = int32(i)
	}
	for i := range l.turns {
		l.turns[i] = int32(i)
	}
	if l.opts.InOrder {
		return
	}
	random := rand.New(rand.NewPCG(l.opts.Seed, uint64(epoch)))
	random.Shuffle(len(l.order), func(i, j int) { l.order[i], l.order[j] = l.order[j], l.order[i] })
	for pool := range slices.Chunk(l.order, poolBatches*l.opts.B) {
		slices.SortStableFunc(pool, func(a, b int32) int { return cmp.Compare(l.length(int(a)), l.length(int(b))) })
	}
	random.Shuffle(len(l.turns), func(i, j int) { l.turns[i], l.turns[j] = l.turns[j], l.turns[i] })
}

// length is the number of tokens that document i fills in a row.
func (l *DocumentLoader) length(i int) int {
	begin, end := l.split.span(i)
	return int(min(end-begin, int64(l.opts.T)))
}

// fill makes the batch at l.ahead; it runs in the ring's goroutine.
func (l *DocumentLoader) fill(b *DocumentBatch) error {
	s := &l.ahead
	if s.Next == l.batches {
		return io.EOF
	}
	l.plan(s.Epoch)
	b.Epoch, b.Index = s.Epoch, s.Next
	first := int(l.turns[s.Next]) * l.opts.B
	documents := l.order[first:min(first+l.opts.B, len(l.order))]
	longest := 0
	b.Documents = b.Documents[:0]
	for _, i := range documents {
		longest = max(longest, l.length(int(i)))
		b.Documents = append(b.Documents, int(i))
	}
	b.Rows = len(documents)
	b.T = BucketLength(longest, l.opts.T)
	b.Inputs = b.inputs[:l.opts.B*b.T]
	if err := l.fillRows(b); err != nil {
		return err
	}
	s.advance(l.batches)
	s.Batches++
	s.Targets += int64(b.Rows)
	b.state = *s
	return nil
}

func (l *DocumentLoader) fillRows(b *DocumentBatch) error {
	for row := range l.opts.B {
		inputs := b.Inputs[row*b.T : (row+1)*b.T]
		n := 0
		if row < b.Rows {
			i := b.Documents[row]
			n = l.length(i)
			begin, _ := l.split.span(i)
			if err := l.split.read(inputs[:n], begin, l.buf); err != nil {
				return err
			}
		}
		for i := n; i < b.T; i++ {
			inputs[i] = l.split.set.Manifest.Tokenizer.EndOfText
		}
		b.Lengths[row] = int32(n)
		l.fillLabels(b, row)
	}
	return nil
}

func (l *DocumentLoader) fillLabels(b *DocumentBatch, row int) {
	used := row < b.Rows
	if b.Labels != nil {
		b.Labels[row] = Ignored
		if used {
			b.Labels[row] = l.split.Label(b.Documents[row])
		}
		return
	}
	set := b.LabelSets[row*l.classes : (row+1)*l.classes]
	for k := range set {
		set[k] = 0
		if used && l.split.HasLabel(b.Documents[row], k) {
			set[k] = 1
		}
	}
}
