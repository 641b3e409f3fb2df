package data

// ring makes batches ahead of their use in one goroutine, in a fixed set of buffers: free buffers go one way, filled ones
// come back in order.
type ring[B any] struct {
	all     []*B
	free    chan *B
	filled  chan filledBatch[B]
	stop    chan struct{}
	stopped chan struct{} // closed when the goroutine has ended; nil when none runs
	held    *B            // the batch last given out
}

type filledBatch[B any] struct {
	batch *B
	err   error
}

func newRing[B any](ahead int, create func() *B) *ring[B] {
	r := &ring[B]{}
	for range ahead + 1 { // one more is in the consumer's hands
		r.all = append(r.all, create())
	}
	return r
}

// start runs fill for one batch after the other until it fails or close is called.
func (r *ring[B]) start(fill func(*B) error) {
	r.free = make(chan *B, len(r.all))
	r.filled = make(chan filledBatch[B], len(r.all))
	for _, b := range r.all {
		r.free <- b
	}
	r.stop, r.stopped = make(chan struct{}), make(chan struct{})
	go r.produce(fill, r.free, r.filled, r.stop, r.stopped)
}

func (r *ring[B]) produce(fill func(*B) error, free <-chan *B, filled chan<- filledBatch[B], stop <-chan struct{}, stopped chan<- struct{}) {
	defer close(stopped)
	for {
		select {
		case <-stop:
			return
		case b := <-free:
			err := fill(b)
			filled <- filledBatch[B]{b, err} // never blocks: there is room for every buffer
			if err != nil {
				return
			}
		}
	}
}

// next takes back the batch given out last and gives the next. After an error the same error comes again.
func (r *ring[B]) next() (*B, error) {
	if r.held != nil {
		r.free <- r.held
		r.held = nil
	}
	f := <-r.filled
	if f.err != nil {
		r.filled <- f
		return nil, f.err
	}
	r.held = f.batch
	return f.batch, nil
}

func (r *ring[B]) running() bool { return r.stopped != nil }

// close ends the goroutine and waits for it. start may follow.
func (r *ring[B]) close() {
	if r.stopped == nil {
		return
	}
	close(r.stop)
	<-r.stopped
	r.stopped, r.held = nil, nil
}
