package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"atoll/model"
	"atoll/model/predict"
)

// fake is a classifier whose tokens are the bytes of a text, and whose score of "yes" is a hundredth of their number.
type fake struct {
	gate chan struct{} // when not nil, a batch needs one value of it to go on

	mutex   sync.Mutex
	batches [][]string // the texts of each call
	ended   int        // calls that ended because their context did
}

func (f *fake) Encode(text string) []int32 {
	ids := make([]int32, len(text))
	for i := range text {
		ids[i] = int32(text[i])
	}
	return ids
}

func (f *fake) ClassifyTokens(ctx context.Context, documents [][]int32) ([]predict.Prediction, error) {
	var texts []string
	var predictions []predict.Prediction
	for _, d := range documents {
		var text strings.Builder
		for _, id := range d {
			text.WriteByte(byte(id))
		}
		texts = append(texts, text.String())
		score := float32(len(d)) / 100
		predictions = append(predictions, predict.Prediction{
			Scores: []float32{1 - score, score}, Tokens: min(len(d), fakeTokens), Truncated: len(d) > fakeTokens})
	}
	f.mutex.Lock()
	f.batches = append(f.batches, texts)
	f.mutex.Unlock()
	if f.gate != nil {
		select {
		case <-f.gate:
		case <-ctx.Done():
			f.mutex.Lock()
			f.ended++
			f.mutex.Unlock()
			return nil, ctx.Err()
		}
	}
	for _, text := range texts {
		if strings.HasPrefix(text, "damaged") {
			return nil, errors.New("the logits are not finite")
		}
	}
	return predictions, nil
}

// calls gives the batches so far.
func (f *fake) calls() [][]string {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return append([][]string(nil), f.batches...)
}

// fakeTokens is what a fake reads of a text.
const fakeTokens = 60

func fakeModel(c Classifier) Model {
	return Model{Name: "fake", Labels: []string{"yes", "no"}, Problem: model.SingleLabel, MaxTokens: fakeTokens, Classifier: c}
}

// running is a server at work on a port of its own.
type running struct {
	*Server
	t       *testing.T
	url     string
	stop    context.CancelFunc
	stopped chan error
	logs    *strings.Builder
}

// start serves m until the test ends.
func start(t *testing.T, limits Limits, m Model) *running {
	t.Helper()
	return startLoading(t, limits, func(context.Context) (Model, error) { return m, nil })
}

func startLoading(t *testing.T, limits Limits, load func(context.Context) (Model, error)) *running {
	t.Helper()
	r := &running{t: t, stopped: make(chan error, 1), logs: &strings.Builder{}}
	var err error
	if r.Server, err = New(limits, r.logs); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.url = "http://" + l.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.stopped <- r.Serve(ctx, l, load)
	}()
	t.Cleanup(func() {
		stop()
		<-done
		http.DefaultClient.CloseIdleConnections()
	})
	return r
}

// ready waits until the model is loaded.
func (r *running) ready() *running {
	r.t.Helper()
	r.eventually("/ready says 200", func() bool { return r.get("/ready").status == http.StatusOK })
	return r
}

func (r *running) eventually(what string, holds func() bool) {
	r.t.Helper()
	for end := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("%s: not within 10 s", what)
		}
	}
}

// reply is an answer as a client sees it.
type reply struct {
	status int
	header http.Header
	body   string
}

func (r *running) do(request *http.Request) reply {
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return reply{body: err.Error()}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return reply{body: err.Error()}
	}
	return reply{response.StatusCode, response.Header, string(body)}
}

func (r *running) get(path string) reply {
	request, err := http.NewRequest(http.MethodGet, r.url+path, nil)
	if err != nil {
		return reply{body: err.Error()}
	}
	return r.do(request)
}

// post classifies a body; the request ends with ctx.
func (r *running) post(ctx context.Context, body string) reply {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+"/v1/classify", strings.NewReader(body))
	if err != nil {
		return reply{body: err.Error()}
	}
	request.Header.Set("Content-Type", "application/json")
	return r.do(request)
}

// classifyTexts posts texts and gives the answer on a channel.
func (r *running) classifyTexts(ctx context.Context, texts ...string) <-chan reply {
	body, err := json.Marshal(map[string]any{"input": texts})
	if err != nil {
		r.t.Fatal(err)
	}
	answers := make(chan reply, 1)
	go func() { answers <- r.post(ctx, string(body)) }()
	return answers
}

// wantError fails unless a reply is an error document with this status and code.
func wantError(t *testing.T, got reply, status int, code, message string) {
	t.Helper()
	var body struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal([]byte(got.body), &body); err != nil {
		t.Fatalf("status %d, body %q: not an error document: %v", got.status, got.body, err)
	}
	if got.status != status || body.Error.Code != code || !strings.Contains(body.Error.Message, message) {
		t.Errorf("got %d %s %q, want %d %s with %q in it", got.status, body.Error.Code, body.Error.Message, status, code, message)
	}
	if again := got.header.Get("Retry-After"); (again != "") != (status == 429 || status == 503) {
		t.Errorf("status %d has Retry-After %q", status, again)
	}
}

// metric gives the value of a line of /metrics, or "".
func (r *running) metric(name string) string {
	for line := range strings.Lines(r.get("/metrics").body) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			return value
		}
	}
	return ""
}

// wantMetrics fails unless each metric has its value.
func (r *running) wantMetrics(want map[string]any) {
	r.t.Helper()
	for name, value := range want {
		if got := r.metric(name); got != fmt.Sprint(value) {
			r.t.Errorf("%s is %q, want %v", name, got, value)
		}
	}
}
