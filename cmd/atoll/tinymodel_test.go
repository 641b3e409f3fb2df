package main

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"atoll/model"
	"atoll/model/bpe"
	"atoll/model/checkpoint"
)

// command runs one command line through the root command.
func command(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(context.Background(), args, strings.NewReader(stdin), &out, &err)
	return code, out.String(), err.String()
}

// mustRun runs a command line that has to succeed and gives its standard output.
func mustRun(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	code, out, errs := command(t, stdin, args...)
	if code != exitDone {
		t.Fatalf("atoll %s: exit %d, want 0\n%s", strings.Join(args, " "), code, errs)
	}
	return out
}

// tinyConfig is a model of one layer over bytes; labels make it a classifier.
func tinyConfig(problem model.Problem, labels ...string) model.Config {
	return model.Config{Vocab: 257, Positions: 32, Width: 8, Layers: 1, Heads: 2, Inner: 32, Epsilon: 1e-5, InitRange: 0.5,
		EndOfText: 256, PadToken: 256, Labels: labels, Problem: problem}
}

// writeModel makes a model directory with random weights and the bytes tokenizer.
func writeModel(t *testing.T, c model.Config) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "model")
	tokenizer, err := bpe.Bytes().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	s := checkpoint.Snapshot{Config: c, Files: map[string][]byte{"tokenizer.json": tokenizer}}
	for _, p := range c.Params() {
		values := make([]float32, p.Len())
		if err := model.Initialize(p, 1, values); err != nil {
			t.Fatal(err)
		}
		s.Weights = append(s.Weights, checkpoint.Float32(p.Name, p.Shape, values))
	}
	if err := checkpoint.Export(dir, s); err != nil {
		t.Fatal(err)
	}
	return dir
}

// parseLines reads JSON lines.
func parseLines(t *testing.T, text string) []map[string]any {
	t.Helper()
	var rows []map[string]any
	for _, line := range strings.SplitAfter(text, "\n") {
		if line == "" {
			continue
		}
		var row map[string]any
		if err := json.Unmarshal([]byte(line), &row); err != nil || !strings.HasSuffix(line, "\n") {
			t.Fatalf("line %d: %q: %v, want a JSON object and a line feed", len(rows)+1, line, err)
		}
		rows = append(rows, row)
	}
	return rows
}

// parseJSON reads one JSON document.
func parseJSON(t *testing.T, text string, to any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), to); err != nil {
		t.Fatalf("%v in %.300q, want one JSON document", err, text)
	}
}
