package server

import (
	"context"
	"errors"
	"sync"
	"time"

	"atoll/model/predict"
)

// errFull refuses a request that would make the queue longer than it may be.
var errFull = errors.New("too many texts are waiting")

// errStopped ends a request that was still waiting when the server stopped.
var errStopped = errors.New("the server has stopped")

// request is the documents of one client on their way through the queue.
type request struct {
	ctx         context.Context
	documents   [][]int32
	predictions []predict.Prediction
	taken       int // documents that were put into a batch
	answered    int // documents that have their prediction
	err         error
	arrived     time.Time
	done        chan struct{} // closed when predictions or err are final
	finished    bool          // done is closed
}

// finish ends the wait of the client, with its predictions or with an error. Only the goroutine of run calls it.
func (r *request) finish(err error) {
	if !r.finished {
		r.finished, r.err = true, err
		close(r.done)
	}
}

// queue makes batches of the documents of many requests. Requests take turns, a document each, so that a request of one
// text need not wait until one of hundreds is through.
type queue struct {
	limits  Limits
	metrics *metrics
	arrival chan struct{} // a token when something came in; holds one

	mutex   sync.Mutex
	waiting []*request // each with a document that is in no batch yet; the next in turn first
	texts   int        // documents of waiting that are in no batch yet
	stopped bool
}

func newQueue(limits Limits, m *metrics) *queue {
	return &queue{limits: limits, metrics: m, arrival: make(chan struct{}, 1)}
}

// classify waits for the predictions of documents, or for the end of ctx, which takes them out of the queue.
func (q *queue) classify(ctx context.Context, documents [][]int32) ([]predict.Prediction, error) {
	r := &request{
		ctx: ctx, documents: documents, predictions: make([]predict.Prediction, len(documents)),
		arrived: time.Now(), done: make(chan struct{}),
	}
	if err := q.add(r); err != nil {
		return nil, err
	}
	select {
	case <-r.done:
		return r.predictions, r.err
	case <-ctx.Done():
		q.remove(r)
		return nil, ctx.Err()
	}
}

func (q *queue) add(r *request) error {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	switch {
	case q.stopped:
		return errStopped
	case q.texts+len(r.documents) > q.limits.QueuedTexts:
		return errFull
	}
	q.waiting = append(q.waiting, r)
	q.texts += len(r.documents)
	select {
	case q.arrival <- struct{}{}:
	default:
	}
	return nil
}

// remove takes out what of r is in no batch yet.
func (q *queue) remove(r *request) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	for i, w := range q.waiting {
		if w == r {
			q.waiting = append(q.waiting[:i], q.waiting[i+1:]...)
			q.texts -= len(r.documents) - r.taken
			return
		}
	}
}

// length is the number of documents that wait.
func (q *queue) length() int {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	return q.texts
}

// run classifies what comes in until ctx ends; then what still waits fails with errStopped.
func (q *queue) run(ctx context.Context, c Classifier) {
	defer q.stop()
	var b batch
	for {
		q.fill(&b)
		if len(b.items) == 0 {
			select {
			case <-q.arrival:
				continue
			case <-ctx.Done():
				return
			}
		}
		q.await(ctx, &b)
		q.classifyBatch(ctx, c, &b)
		b = batch{}
	}
}

// await gives other requests BatchWait to join a batch that is not full.
func (q *queue) await(ctx context.Context, b *batch) {
	if q.limits.BatchWait == 0 || b.full {
		return
	}
	timer := time.NewTimer(q.limits.BatchWait)
	defer timer.Stop()
	for !b.full {
		select {
		case <-q.arrival:
			q.fill(b)
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// fill moves documents from the queue into b, a document of each request in turn, until b is full or nothing waits.
func (q *queue) fill(b *batch) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	for len(q.waiting) > 0 && !b.full {
		r := q.waiting[0]
		n := len(r.documents[r.taken])
		if len(b.items) > 0 && b.tokens+n > q.limits.BatchTokens {
			b.full = true
			return
		}
		b.items = append(b.items, item{r, r.taken})
		b.tokens += n
		b.full = b.tokens >= q.limits.BatchTokens
		r.taken++
		q.texts--
		q.waiting = q.waiting[1:]
		if r.taken < len(r.documents) {
			q.waiting = append(q.waiting, r)
		}
	}
}

func (q *queue) stop() {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.stopped = true
	for _, r := range q.waiting {
		r.finish(errStopped)
	}
	q.waiting, q.texts = nil, 0
}
