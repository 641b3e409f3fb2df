package trainer

import (
	"atoll/engine"
	"atoll/trainer/data"
)

// ahead is the first micro-batch of the next step where it was read before that step began, so that it is uploaded while the last one of
// this step is computed. The run has not trained on it: a checkpoint holds the position before it.
type ahead struct {
	read     bool
	batch    microBatch
	err      error      // of reading it, told when its turn comes
	position data.State // before it
}

// position is the place in the data behind the last step.
func (r *run) position() data.State {
	if r.ahead.read {
		return r.ahead.position
	}
	return r.task.position()
}

// next fills micro-batch n of the step, with what was read ahead where that was.
func (r *run) next(n int) error {
	b := &r.batches[n]
	b.uploaded = false
	if n > 0 || !r.ahead.read {
		return r.task.next(b)
	}
	*b, r.ahead.batch = r.ahead.batch, *b
	r.ahead.read = false
	return r.ahead.err
}

// handOver has the device upload micro-batch n of the step, or the first of the next one, while p runs. A device that computes with the
// host's processors has no time for it, and a program that is not compiled yet is left for its turn.
func (r *run) handOver(p *engine.Program, n int) error {
	if !p.TakesAhead() {
		return nil
	}
	b := &r.ahead.batch
	if n < len(r.batches) {
		b = &r.batches[n]
	} else if !r.readAhead() {
		return nil
	}
	following := r.programs[b.sequence]
	if following == nil {
		return nil
	}
	b.uploaded = true
	return following.HandOver(func(in engine.Inputs) { r.task.feed(in, b) })
}

// readAhead reads the first micro-batch of the next step, and says whether there is one.
func (r *run) readAhead() bool {
	a := &r.ahead
	a.position, a.batch.uploaded = r.task.position(), false
	a.err = r.task.next(&a.batch)
	a.read = true
	return a.err == nil
}
