package server

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// blocked starts a server whose model has begun on one text and goes on when the gate lets it.
func blocked(t *testing.T, change func(*Limits)) (*running, *fake, <-chan reply) {
	t.Helper()
	limits := DefaultLimits()
	limits.BatchWait, limits.Drain = 0, 5*time.Second
	change(&limits)
	classifier := &fake{gate: make(chan struct{})}
	r := start(t, limits, fakeModel(classifier)).ready()
	first := r.classifyTexts(context.Background(), "first")
	r.eventually("the model has the first text", func() bool { return len(classifier.calls()) == 1 })
	return r, classifier, first
}

func (r *running) eventuallyQueued(n int) {
	r.t.Helper()
	r.eventually(fmt.Sprintf("%d texts wait", n), func() bool { return r.queue.length() == n })
}

func TestRequestsTakeTurns(t *testing.T) {
	r, classifier, first := blocked(t, func(l *Limits) { l.BatchTokens = 8 })
	many := r.classifyTexts(context.Background(), "m0", "m1", "m2", "m3", "m4", "longer than a batch")
	r.eventuallyQueued(6)
	one := r.classifyTexts(context.Background(), "o0")
	r.eventuallyQueued(7)
	close(classifier.gate)
	for _, answers := range []<-chan reply{first, many, one} {
		if got := <-answers; got.status != 200 {
			t.Errorf("got %d %s, want 200", got.status, got.body)
		}
	}
	want := [][]string{{"first"}, {"m0", "o0", "m1", "m2"}, {"m3", "m4"}, {"longer than a batch"}}
	if got := classifier.calls(); !reflect.DeepEqual(got, want) {
		t.Errorf("batches %v, want %v", got, want)
	}
	r.wantMetrics(map[string]any{
		"atoll_documents_total": 8, "atoll_tokens_total": 5 + 6*2 + 19, "atoll_batch_documents_count": 4, "atoll_batch_documents_sum": 8,
		"atoll_inference_seconds_count": 4, "atoll_queued_documents": 0,
		`atoll_requests_total{code="200",route="/v1/classify"}`: 3,
	})
}

func TestBatchWaitsForMore(t *testing.T) {
	limits := DefaultLimits()
	limits.BatchWait, limits.BatchTokens = time.Minute, 4
	classifier := &fake{}
	r := start(t, limits, fakeModel(classifier)).ready()
	a := r.classifyTexts(context.Background(), "aa")
	r.eventually("the first text is in a batch", func() bool { return len(r.slots) == 1 && r.queue.length() == 0 })
	b := r.classifyTexts(context.Background(), "bb")
	<-a
	<-b
	if got := classifier.calls(); !reflect.DeepEqual(got, [][]string{{"aa", "bb"}}) {
		t.Errorf("batches %v, want one that went when it was full", got)
	}
}

func TestTooMuchAtOnce(t *testing.T) {
	r, classifier, _ := blocked(t, func(l *Limits) { l.Requests, l.Texts, l.QueuedTexts = 2, 4, 4 })
	waiting := r.classifyTexts(context.Background(), "a", "b", "c")
	r.eventuallyQueued(3)
	wantError(t, <-r.classifyTexts(context.Background(), "d"), 429, "overloaded", "2 requests are under way")
	r.wantMetrics(map[string]any{"atoll_requests_in_flight": 2, "atoll_queued_documents": 3})
	close(classifier.gate)
	if got := <-waiting; got.status != 200 {
		t.Errorf("the request that waited: got %d %s, want 200", got.status, got.body)
	}
}

func TestQueueFull(t *testing.T) {
	r, classifier, _ := blocked(t, func(l *Limits) { l.Texts, l.QueuedTexts = 3, 4 })
	waiting := r.classifyTexts(context.Background(), "a", "b", "c")
	r.eventuallyQueued(3)
	wantError(t, <-r.classifyTexts(context.Background(), "d", "e"), 429, "queue_full", "as many texts wait as may, 4")
	close(classifier.gate)
	<-waiting
	if got := <-r.classifyTexts(context.Background(), "d", "e"); got.status != 200 {
		t.Errorf("after the queue has emptied: got %d %s, want 200", got.status, got.body)
	}
}

func TestTimeout(t *testing.T) {
	r, classifier, first := blocked(t, func(l *Limits) { l.Request = 50 * time.Millisecond })
	wantError(t, <-first, 503, "timeout", "within 50ms")
	r.eventually("the model stops when nobody waits", func() bool {
		classifier.mutex.Lock()
		defer classifier.mutex.Unlock()
		return classifier.ended == 1
	})
}

func TestClientThatGoesAway(t *testing.T) {
	r, classifier, first := blocked(t, func(*Limits) {})
	ctx, leave := context.WithCancel(context.Background())
	gone := r.classifyTexts(ctx, "gone")
	r.eventuallyQueued(1)
	leave()
	<-gone
	r.eventuallyQueued(0)
	close(classifier.gate)
	if got := <-first; got.status != 200 {
		t.Errorf("the client that stayed: got %d %s, want 200", got.status, got.body)
	}
	if got := classifier.calls(); len(got) != 1 {
		t.Errorf("batches %v: want none for the client that left", got)
	}
	r.eventually("metrics tell of it", func() bool { return r.metric(`atoll_requests_total{code="499",route="/v1/classify"}`) == "1" })
}

func TestLastClientEndsTheBatch(t *testing.T) {
	r, classifier, first := blocked(t, func(*Limits) {})
	ctx, leave := context.WithCancel(context.Background())
	classifier.gate <- struct{}{}
	<-first
	gone := r.classifyTexts(ctx, "gone")
	r.eventually("the model has the text", func() bool { return len(classifier.calls()) == 2 })
	leave()
	<-gone
	close(classifier.gate)
	if got := <-r.classifyTexts(context.Background(), "next"); got.status != 200 {
		t.Errorf("got %d %s, want 200", got.status, got.body)
	}
}

func TestFailureStaysWithItsRequest(t *testing.T) {
	r, classifier, first := blocked(t, func(l *Limits) { l.BatchTokens = 20 })
	bad := r.classifyTexts(context.Background(), "damaged", "more of it", "and more")
	good := r.classifyTexts(context.Background(), "good")
	r.eventuallyQueued(4)
	close(classifier.gate)
	<-first
	wantError(t, <-bad, 500, "internal", "log")
	if got := <-good; got.status != 200 {
		t.Errorf("a request beside the one that failed: got %d %s, want 200", got.status, got.body)
	}
	r.eventuallyQueued(0)
	r.stop()
	<-r.stopped
	if !strings.Contains(r.logs.String(), "the logits are not finite") {
		t.Errorf("logs are %q, want the cause in them", r.logs)
	}
}

func TestStoppedQueueRefuses(t *testing.T) {
	s, err := New(DefaultLimits(), &strings.Builder{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s.queue.run(ctx, &fake{})
	if _, err := s.queue.classify(context.Background(), [][]int32{{1}}); !errors.Is(err, errStopped) {
		t.Errorf("got %v, want %v", err, errStopped)
	}
}
