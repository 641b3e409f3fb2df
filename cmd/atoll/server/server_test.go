package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestDrainFinishesWhatIsUnderWay(t *testing.T) {
	r, classifier, first := blocked(t, func(*Limits) {})
	waiting := r.classifyTexts(context.Background(), "waiting", "too")
	r.eventuallyQueued(2)
	r.stop()
	r.eventually("/ready says 503", func() bool { return r.get("/ready").status == http.StatusServiceUnavailable })
	wantError(t, r.get("/ready"), 503, "draining", "stopping")
	wantError(t, <-r.classifyTexts(context.Background(), "late"), 503, "draining", "stopping")
	if got := r.get("/health"); got.status != 200 {
		t.Errorf("/health while draining: got %d, want 200", got.status)
	}
	close(classifier.gate)
	for _, answers := range []<-chan reply{first, waiting} {
		if got := <-answers; got.status != 200 {
			t.Errorf("under way when the server was stopped: got %d %s, want 200", got.status, got.body)
		}
	}
	if err := <-r.stopped; err != nil {
		t.Errorf("Serve returned %v, want nil", err)
	}
	if _, err := net.DialTimeout("tcp", strings.TrimPrefix(r.url, "http://"), time.Second); err == nil {
		t.Error("the port still answers")
	}
}

func TestDrainHasAnEnd(t *testing.T) {
	r, _, first := blocked(t, func(l *Limits) { l.Drain = 20 * time.Millisecond })
	r.stop()
	wantError(t, <-first, 503, "draining", "try it again")
	if err := <-r.stopped; err == nil || !strings.Contains(err.Error(), "1 requests cut off after 20ms") {
		t.Errorf("Serve returned %v, want an error that counts the request", err)
	}
}

func TestLoading(t *testing.T) {
	gate := make(chan struct{})
	r := startLoading(t, DefaultLimits(), func(context.Context) (Model, error) {
		<-gate
		return fakeModel(&fake{}), nil
	})
	for _, path := range []string{"/ready", "/v1/models"} {
		wantError(t, r.get(path), 503, "loading", "being loaded")
	}
	wantError(t, r.post(context.Background(), `{"input": "a"}`), 503, "loading", "being loaded")
	if got := r.get("/health"); got.status != 200 {
		t.Errorf("/health while loading: got %d, want 200", got.status)
	}
	close(gate)
	r.ready()
}

func TestModelThatCannotBeServed(t *testing.T) {
	damaged := errors.New("model.safetensors is cut short")
	r := startLoading(t, DefaultLimits(), func(context.Context) (Model, error) { return Model{}, damaged })
	if err := <-r.stopped; !errors.Is(err, damaged) {
		t.Errorf("Serve returned %v, want %v", err, damaged)
	}
	r = start(t, DefaultLimits(), Model{Name: "shakespeare", Classifier: &fake{}})
	if err := <-r.stopped; err == nil || !strings.Contains(err.Error(), "shakespeare is a language model") {
		t.Errorf("Serve returned %v, want a language model refused by name", err)
	}
}

func TestStoppedWhileLoading(t *testing.T) {
	r := startLoading(t, DefaultLimits(), func(ctx context.Context) (Model, error) {
		<-ctx.Done()
		return Model{}, ctx.Err()
	})
	r.stop()
	if err := <-r.stopped; err != nil {
		t.Errorf("Serve returned %v, want nil", err)
	}
}

// A client that stops in the middle of its headers, or of its body, is not waited for.
func TestSlowClients(t *testing.T) {
	limits := DefaultLimits()
	limits.Read = 50 * time.Millisecond
	r := start(t, limits, fakeModel(&fake{})).ready()
	for _, c := range []struct{ sent, want string }{
		{"POST /v1/classify HTTP/1.1\r\nHost: a\r\nContent-", ""},
		{"POST /v1/classify HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"in", "HTTP/1.1 408 Request Timeout"},
	} {
		connection, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		if err := connection.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprint(connection, c.sent); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(connection).ReadString('\n')
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			t.Fatalf("sent %q: the server still waits", c.sent)
		}
		if !strings.HasPrefix(line, c.want) {
			t.Errorf("sent %q: got %q, want %q", c.sent, line, c.want)
		}
	}
	r.eventually("no slot is held", func() bool { return len(r.slots) == 0 })
}

func TestRoutes(t *testing.T) {
	r := start(t, DefaultLimits(), fakeModel(&fake{})).ready()
	for _, c := range []struct {
		method, path string
		status       int
		allow, body  string
	}{
		{"GET", "/health", 200, "", `{"status":"ok"}`},
		{"HEAD", "/health", 200, "", ""},
		{"GET", "/ready", 200, "", `{"status":"ready"}`},
		{"GET", "/v1/models", 200, "", `{"object":"list","data":[{"id":"fake","object":"model","task":"classify","labels":["yes","no"],"max_tokens":60,"max_texts":256}]}`},
		{"GET", "/metrics", 200, "", "# HELP atoll_batch_documents"},
		{"GET", "/v1/classify", 405, "POST", `"method_not_allowed"`},
		{"POST", "/", 405, "GET", `"method_not_allowed"`},
		{"DELETE", "/health", 405, "GET", `"method_not_allowed"`},
		{"GET", "/v1/classify/", 404, "", `"not_found"`},
		{"GET", "/../etc/passwd", 404, "", `"not_found"`},
	} {
		request, err := http.NewRequest(c.method, r.url+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := r.do(request)
		if got.status != c.status || got.header.Get("Allow") != c.allow || !strings.Contains(got.body, c.body) {
			t.Errorf("%s %s: got %d, Allow %q, %s; want %d, Allow %q, %s", c.method, c.path, got.status, got.header.Get("Allow"), got.body, c.status, c.allow, c.body)
		}
	}
}

func TestLimits(t *testing.T) {
	if err := DefaultLimits().Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Limits){
		"bytes of a body: got 0":           func(l *Limits) { l.BodyBytes = 0 },
		"texts in a request: got -1":       func(l *Limits) { l.Texts = -1 },
		"requests at once: got 0":          func(l *Limits) { l.Requests = 0 },
		"tokens in a batch: got 0":         func(l *Limits) { l.BatchTokens = 0 },
		"texts in the queue: got 9":        func(l *Limits) { l.QueuedTexts = 9 },
		"time of a request: got 0s":        func(l *Limits) { l.Request = 0 },
		"time to read a request: got -1ns": func(l *Limits) { l.Read = -1 },
		"time to drain -1ns":               func(l *Limits) { l.Drain = -1 },
		"wait for a batch -1ns":            func(l *Limits) { l.BatchWait = -1 },
	} {
		limits := DefaultLimits()
		change(&limits)
		if _, err := New(limits, &strings.Builder{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want one with %q", err, want)
		}
	}
}
