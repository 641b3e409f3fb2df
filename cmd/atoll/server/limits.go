package server

import (
	"fmt"
	"time"
)

// Limits bound what clients may ask for and how long they may take. The zero value is not valid: start from DefaultLimits.
type Limits struct {
	BodyBytes   int           // of one request; beyond it 413
	Texts       int           // in one request; beyond it 413
	Requests    int           // classification requests under way at once; beyond it 429
	QueuedTexts int           // waiting for the model; beyond it 429. At least Texts, or no request could have that many
	Request     time.Duration // from the arrival of a request to its scores; beyond it 503
	Read        time.Duration // for a client to send its headers, and its headers and body; beyond it 408
	Drain       time.Duration // after being told to stop, for what is under way
	BatchTokens int           // classified together; a longer text is a batch of its own
	BatchWait   time.Duration // how long a batch that is not full waits for more texts; 0 for not at all
}

// DefaultLimits suit a model of GPT-2's size on a few processors.
func DefaultLimits() Limits {
	return Limits{
		BodyBytes:   1 << 20,
		Texts:       256,
		Requests:    256,
		QueuedTexts: 4096,
		Request:     30 * time.Second,
		Read:        10 * time.Second,
		Drain:       30 * time.Second,
		BatchTokens: 4096,
		BatchWait:   2 * time.Millisecond,
	}
}

// Validate names the first limit that is out of bounds.
func (l Limits) Validate() error {
	for _, c := range []struct {
		what string
		got  int
	}{
		{"bytes of a body", l.BodyBytes}, {"texts in a request", l.Texts}, {"requests at once", l.Requests}, {"tokens in a batch", l.BatchTokens},
	} {
		if c.got < 1 {
			return fmt.Errorf("limit of %s: got %d, want at least 1", c.what, c.got)
		}
	}
	for _, c := range []struct {
		what string
		got  time.Duration
	}{{"time of a request", l.Request}, {"time to read a request", l.Read}} {
		if c.got <= 0 {
			return fmt.Errorf("limit of %s: got %v, want more than 0", c.what, c.got)
		}
	}
	if l.Drain < 0 || l.BatchWait < 0 {
		return fmt.Errorf("time to drain %v, wait for a batch %v: want neither below 0", l.Drain, l.BatchWait)
	}
	if l.QueuedTexts < l.Texts {
		return fmt.Errorf("limit of texts in the queue: got %d, want at least the %d that one request may have: raise it", l.QueuedTexts, l.Texts)
	}
	return nil
}
