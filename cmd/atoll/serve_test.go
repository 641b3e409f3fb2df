package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"atoll/model"
	"atoll/model/bpe"
	"atoll/model/checkpoint"
)

// exportServed writes a tiny model of random weights: a classifier if there are labels, else a language model.
func exportServed(t *testing.T, labels ...string) string {
	t.Helper()
	c, err := model.Named("mini")
	if err != nil {
		t.Fatal(err)
	}
	tokenizer := bpe.Bytes()
	c.Vocab, c.Positions, c.Width, c.Layers, c.Heads, c.Inner = tokenizer.VocabSize(), 32, 8, 1, 1, 16
	c.EndOfText = int(tokenizer.EndOfText())
	if c.Labels = labels; len(labels) > 0 {
		c.Problem = model.SingleLabel
	}
	text, err := tokenizer.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	snapshot := checkpoint.Snapshot{Config: c, Files: map[string][]byte{"tokenizer.json": text}}
	for _, p := range c.Params() {
		values := make([]float32, p.Len())
		if err := model.Initialize(p, 1, values); err != nil {
			t.Fatal(err)
		}
		snapshot.Weights = append(snapshot.Weights, checkpoint.Float32(p.Name, p.Shape, values))
	}
	dir := filepath.Join(t.TempDir(), "tiny")
	if err := checkpoint.Export(dir, snapshot); err != nil {
		t.Fatal(err)
	}
	return dir
}

// syncedBuffer is written by a command and read by its test.
type syncedBuffer struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (b *syncedBuffer) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.text.Write(p)
}

func (b *syncedBuffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.text.String()
}

func TestServeAnswersUntilItIsStopped(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	logs, code := &syncedBuffer{}, make(chan int, 1)
	args := []string{"serve", "--model", exportServed(t, "ham", "spam"), "--listen", "127.0.0.1:0", "--threads", "1", "--name", "sms"}
	go func() { code <- run(ctx, args, strings.NewReader(""), io.Discard, logs) }()
	listening := regexp.MustCompile(`listening on (http://\S+)`)
	for end := time.Now().Add(20 * time.Second); listening.FindString(logs.String()) == ""; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not listening within 20 s: %s", logs)
		}
	}
	url := listening.FindStringSubmatch(logs.String())[1]
	response, err := http.Post(url+"/v1/classify", "application/json", strings.NewReader(`{"input": "hello"}`))
	for ; err == nil && response.StatusCode == http.StatusServiceUnavailable; time.Sleep(time.Millisecond) {
		response.Body.Close() // the address is printed a moment before the model is in place
		response, err = http.Post(url+"/v1/classify", "application/json", strings.NewReader(`{"input": "hello"}`))
	}
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || !regexp.MustCompile(`^{"model":"sms","data":\[{"index":0,"label":"(ham|spam)","score":0.\d+,.*"usage":{"tokens":5}}`).Match(body) {
		t.Errorf("got %s, %v", body, err)
	}
	stop()
	if got := <-code; got != exitDone {
		t.Errorf("exit %d, want %d: %s", got, exitDone, logs)
	}
}

func TestServeRefuses(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	classifier := exportServed(t, "ham", "spam")
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"", exitUsage, "give --model MODEL"},
		{"stray", exitUsage, "1 arguments, want 0"},
		{"--model " + classifier + " --max-body 0", exitUsage, "bytes of a body: got 0, want at least 1"},
		{"--model " + classifier + " --timeout 3", exitUsage, "must be a duration"},
		{"--model " + classifier + " --listen " + busy.Addr().String(), exitFailed, "another program listens there"},
		{"--model " + classifier + " --listen nonsense", exitFailed, "want an address of this machine and a port"},
		{"--model " + exportServed(t) + " --listen 127.0.0.1:0", exitFailed, "is a language model without labels"},
		{"--model " + filepath.Join(t.TempDir(), "absent") + " --listen 127.0.0.1:0", exitFailed, "absent"},
	} {
		var stderr bytes.Buffer
		code := run(context.Background(), append([]string{"serve"}, strings.Fields(c.args)...), strings.NewReader(""), io.Discard, &stderr)
		if code != c.code || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("serve %s: exit %d, %q, want exit %d, %q", c.args, code, stderr.String(), c.code, c.want)
		}
		if lines := strings.Count(stderr.String(), "\n"); lines != 1 {
			t.Errorf("serve %s: %d lines, want 1: %s", c.args, lines, fmt.Sprintf("%q", stderr.String()))
		}
	}
}
