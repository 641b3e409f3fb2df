package data

import (
	"iter"
	"runtime"
)

// A batch of texts is encoded by one goroutine: enough of them that handing it over costs nothing beside.
const (
	batchBytes = 64 << 10
	batchTexts = 1024
)

// Encode encodes texts on several goroutines, one for each processor where threads is 0, and hands the ids of each to use, in order
// and on the caller's goroutine; use must not keep them. At most two batches a goroutine are under way, each of 64 KB and one text,
// so the memory does not grow with the number of texts. It ends with the first error of use.
func Encode(tokenizer Tokenizer, threads int, texts iter.Seq[string], use func(ids []int32) error) error {
	if threads == 0 {
		threads = min(runtime.GOMAXPROCS(0), 8) // more than reading the texts can keep busy
	}
	e := encoders{work: make(chan *batch, 2*threads), use: use}
	defer close(e.work)
	for range threads {
		go e.encode(tokenizer)
	}
	b := e.batch()
	for text := range texts {
		b.texts = append(b.texts, text)
		if b.bytes += len(text); b.bytes < batchBytes && len(b.texts) < batchTexts {
			continue
		}
		e.give(b)
		if len(e.pending) == cap(e.work) {
			if err := e.take(); err != nil {
				return err
			}
		}
		b = e.batch()
	}
	e.give(b)
	for len(e.pending) > 0 {
		if err := e.take(); err != nil {
			return err
		}
	}
	return nil
}

// encoders are goroutines that encode batches.
type encoders struct {
	work    chan *batch
	pending []*batch // given, in order
	free    []*batch // to be used again
	use     func(ids []int32) error
}

// batch is some texts and, once it is done, their ids.
type batch struct {
	texts []string
	bytes int
	ids   []int32
	ends  []int // of each text's ids
	done  chan struct{}
}

func (e *encoders) encode(tokenizer Tokenizer) {
	for b := range e.work {
		b.ids, b.ends = b.ids[:0], b.ends[:0]
		for _, text := range b.texts {
			b.ids = tokenizer.Encode(b.ids, text)
			b.ends = append(b.ends, len(b.ids))
		}
		b.done <- struct{}{}
	}
}

// batch gives an empty batch.
func (e *encoders) batch() *batch {
	n := len(e.free)
	if n == 0 {
		return &batch{done: make(chan struct{}, 1)}
	}
	b := e.free[n-1]
	e.free = e.free[:n-1]
	return b
}

// give hands a batch to the goroutines; there is always room for it.
func (e *encoders) give(b *batch) {
	e.work <- b
	e.pending = append(e.pending, b)
}

// take waits for the oldest batch and uses it.
func (e *encoders) take() error {
	b := e.pending[0]
	e.pending = e.pending[1:]
	<-b.done
	start := 0
	for _, end := range b.ends {
		if err := e.use(b.ids[start:end]); err != nil {
			return err
		}
		start = end
	}
	clear(b.texts)
	b.texts, b.bytes = b.texts[:0], 0
	e.free = append(e.free, b)
	return nil
}
