package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// builtInRows are the rows of the built-in data: label, text.
func builtInRows(t *testing.T) [][2]string {
	t.Helper()
	decoder, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer decoder.Close()
	text, err := decoder.DecodeAll(smsMessages, nil)
	if err != nil {
		t.Fatal(err)
	}
	var rows [][2]string
	for line := range strings.Lines(string(text)) {
		label, message, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		rows = append(rows, [2]string{label, message})
	}
	return rows
}

// TestDemoExamplesAreHeldOut: the messages that the demo shows as unseen are in the held-out tenth and nowhere else.
func TestDemoExamplesAreHeldOut(t *testing.T) {
	rows := builtInRows(t)
	if len(rows) != 5574 {
		t.Fatalf("%d messages, want the collection's 5574", len(rows))
	}
	for n, e := range demoExamples {
		var found []int
		for i, row := range rows {
			if row[1] == e.text {
				found = append(found, i)
				if row[0] != e.label {
					t.Errorf("%q is %s in the data, %s here", e.text, row[0], e.label)
				}
			}
		}
		ours := n == len(demoExamples)-1
		if ours != (len(found) == 0) || slices.ContainsFunc(found, func(i int) bool { return i%10 != 9 }) {
			t.Errorf("%q is at rows %v, want held-out rows (i mod 10 = 9), and none for the last example", e.text, found)
		}
	}
}

// tinyDemo is the demo on few messages, with a model of one layer.
func tinyDemo(t *testing.T) demoSettings {
	t.Helper()
	config := filepath.Join(t.TempDir(), "tiny.json")
	text := `{"model_type":"gpt2","vocab_size":300,"n_positions":32,"n_embd":16,"n_layer":1,"n_head":2,"bos_token_id":299,"eos_token_id":299}`
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return demoSettings{messages: 200, vocabulary: 300,
		pretrain: []string{"--model", config, "--steps", "3", "--seq", "32", "--batch", "4", "--sample-tokens", "0"},
		finetune: []string{"--steps", "3", "--seq", "32", "--batch", "4", "--lr", "1e-3", "--warmup", "1"}}
}

// runDemo runs a tiny demo with the given flags.
func runDemo(t *testing.T, settings demoSettings, flags ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, progress bytes.Buffer
	c := demoCommand(streams{out: &out, err: &progress}, settings)
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetArgs(append(flags, "--threads", "1"))
	err = c.ExecuteContext(context.Background())
	return out.String(), progress.String(), err
}

func TestDemo(t *testing.T) {
	settings, out := tinyDemo(t), filepath.Join(t.TempDir(), "demo")
	stdout, _, err := runDemo(t, settings, "--out", out)
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for _, want := range []string{"$ atoll prepare --input " + out, "$ atoll pretrain --data", "$ atoll finetune --data", "$ atoll evaluate --model",
		"n-gram baseline", "$ atoll classify --model", "jay is being noncomittal", filepath.Join(out, "report.html")} {
		next := strings.Index(stdout[at:], want)
		if next < 0 {
			t.Fatalf("the output lacks %q, or has it too early:\n%s", want, stdout)
		}
		at += next
	}
	for _, name := range []string{"sms.tsv", "ATTRIBUTION.txt", "report.html", "classifier/report.html", "language-model/report.html"} {
		if !fileExists(filepath.Join(out, name)) {
			t.Errorf("%s is missing", name)
		}
	}
	if _, _, err := runDemo(t, settings, "--out", out); err == nil || !strings.Contains(err.Error(), "--overwrite") {
		t.Errorf("a second demo in the same folder: error %v, want one that names --overwrite", err)
	}
	// The same seed gives the same answers, and --json the same path as one document.
	again, progress, err := runDemo(t, settings, "--out", out, "--overwrite", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var result demoResult
	if err := json.Unmarshal([]byte(again), &result); err != nil {
		t.Fatalf("%v in %s", err, again)
	}
	if len(result.Steps) != 4 || len(result.Examples) != len(demoExamples) || result.Baseline == 0 || !strings.Contains(progress, "$ atoll prepare") {
		t.Errorf("got %+v", result)
	}
	if !strings.Contains(stdout, "accuracy           "+decimal(result.Accuracy)) {
		t.Errorf("accuracy %s the second time, want that of the first:\n%s", decimal(result.Accuracy), stdout)
	}
}

func TestDemoLeavesOtherFoldersAlone(t *testing.T) {
	out := t.TempDir()
	if err := os.WriteFile(filepath.Join(out, "sms.tsv"), []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, _, err := runDemo(t, tinyDemo(t), "--out", out, "--overwrite")
	if err == nil || !strings.Contains(err.Error(), "no earlier demo") {
		t.Errorf("error %v, want one that says it is no earlier demo", err)
	}
	if kept, err := os.ReadFile(filepath.Join(out, "sms.tsv")); err != nil || string(kept) != "mine" {
		t.Errorf("the file is now %q, %v", kept, err)
	}
}

func TestCommandLineQuotes(t *testing.T) {
	if got, want := commandLine([]string{"prepare", "--input", "my folder/it's.csv", "--seed", "1"}), `atoll prepare --input 'my folder/it'\''s.csv' --seed 1`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
