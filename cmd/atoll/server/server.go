// Package server answers classification requests over HTTP.
//
// In come a listener and a function that loads a model; out go the answers of POST /v1/classify, the state of the server
// (/health, /ready, /metrics, /v1/models) and a page to try it on (/). The texts of concurrent requests are classified
// together, and each gets the bits it would get alone. A request that is wrong, too large or too much at once is answered
// with an error document and a status that means it. Serve returns an error when the model cannot be served or when work
// had to be cut off at the end; nothing that a client sends makes it return.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"atoll/model"
	"atoll/model/predict"
)

// Classifier scores texts; *predict.Model is one. Both methods may be called from several goroutines.
type Classifier interface {
	// Encode gives the tokens of a text: at least one.
	Encode(text string) []int32
	// ClassifyTokens scores documents in their order, and stops with an error soon after ctx ends.
	ClassifyTokens(ctx context.Context, documents [][]int32) ([]predict.Prediction, error)
}

// Model is a classifier with what the server says about it.
type Model struct {
	Name       string   // in answers
	Labels     []string // in the order of the scores; not empty
	Problem    model.Problem
	MaxTokens  int // that are read of a text; the rest is cut off
	Classifier Classifier
}

// Server answers requests. Make one with New and run it once with Serve.
type Server struct {
	limits   Limits
	log      *log.Logger
	metrics  *metrics
	queue    *queue
	slots    chan struct{}         // one for each classification request under way
	current  atomic.Pointer[Model] // nil until it is loaded
	draining atomic.Bool
	handler  http.Handler
}

// New makes a server. What goes wrong inside it, rather than with a request, is written to logs, a line each.
func New(limits Limits, logs io.Writer) (*Server, error) {
	if err := limits.Validate(); err != nil {
		return nil, err
	}
	s := &Server{limits: limits, log: log.New(logs, "atoll: ", 0), slots: make(chan struct{}, limits.Requests)}
	s.metrics = newMetrics(s)
	s.queue = newQueue(limits, s.metrics)
	s.handler = s.routes()
	return s, nil
}

// Serve answers requests on l, which it closes, until ctx ends. It answers at once, with "not ready" while load runs, and
// gives up if load fails. After ctx has ended it refuses new classifications, finishes those under way within
// Limits.Drain and returns nil, or an error that says how many were cut off.
func (s *Server) Serve(ctx context.Context, l net.Listener, load func(ctx context.Context) (Model, error)) error {
	work, abandon := context.WithCancel(context.WithoutCancel(ctx)) // outlives ctx by the time to drain
	defer abandon()
	web := s.webServer()
	defer web.Close()
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(l) }()

	m, err := load(ctx)
	if err == nil && len(m.Labels) == 0 {
		err = fmt.Errorf("%s is a language model without labels, want a classifier: fine-tune it first (atoll finetune --from)", m.Name)
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil // told to stop while loading: nothing was under way
		}
		return err
	}
	batches := make(chan struct{})
	go func() {
		defer close(batches)
		s.queue.run(work, m.Classifier)
	}()
	s.current.Store(&m)

	select {
	case <-ctx.Done():
		err = s.drain(web, abandon)
	case err = <-failed:
		err = fmt.Errorf("accepting connections: %w", err)
	}
	abandon()
	<-batches // the caller may close the model now
	return err
}

// webServer bounds what a client can hold by being slow.
func (s *Server) webServer() *http.Server {
	return &http.Server{
		Handler:           s.handler,
		ErrorLog:          s.log,
		ReadHeaderTimeout: s.limits.Read,
		ReadTimeout:       s.limits.Read,
		WriteTimeout:      2*s.limits.Read + s.limits.Request, // counted from the end of the headers: body, work, answer
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
}

// cutOff is how long requests that ran out of time get to say so to their clients.
const cutOff = time.Second

// drain ends the service: /ready says 503, what is under way is finished, then the listener and the connections close.
func (s *Server) drain(web *http.Server, abandon func()) error {
	s.draining.Store(true)
	deadline, cancel := context.WithTimeout(context.Background(), s.limits.Drain)
	defer cancel()
	left := s.awaitIdle(deadline)
	if left > 0 {
		abandon()
	}
	closing, cancel := context.WithTimeout(context.Background(), cutOff)
	defer cancel()
	err := web.Shutdown(closing)
	if left > 0 {
		return fmt.Errorf("stopped with %d requests cut off after %v: raise the drain timeout to finish them", left, s.limits.Drain)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return nil // a connection that asks for nothing more than to stay open
	}
	return err
}

// awaitIdle waits until no classification is under way, and returns how many are when ctx ends first. It takes the slots
// one by one, so that none is free for a request that arrives meanwhile.
func (s *Server) awaitIdle(ctx context.Context) (left int) {
	for taken := range cap(s.slots) {
		select {
		case s.slots <- struct{}{}:
		case <-ctx.Done():
			return cap(s.slots) - taken
		}
	}
	return 0
}
