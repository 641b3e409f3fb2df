package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"atoll/trainer"
	"atoll/trainer/metric"
)

// atoll runs a command line and gives what it wrote.
func atoll(t *testing.T, arguments ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(context.Background(), arguments, strings.NewReader(""), &out, &err)
	return code, out.String(), err.String()
}

// TestEvaluateCommand trains a small classifier through the command line and evaluates it as text, as JSON and as a page.
func TestEvaluateCommand(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	config := tinyDemo(t).pretrain[1]
	if err := os.WriteFile(in("rows.csv"), []byte("text,label\n"+strings.Repeat("see you at five,会面\nwin a prize now,spam\nok then,会面\n", 20)), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, arguments := range [][]string{
		{"prepare", "--input", in("rows.csv"), "--task", "classify", "--tokenizer", "bytes", "--out", in("data")},
		{"finetune", "--data", in("data"), "--model", config, "--out", in("run"), "--epochs", "1", "--seq", "32", "--batch", "8", "--precision", "fp32", "--threads", "1"},
	} {
		if code, _, stderr := atoll(t, arguments...); code != exitDone {
			t.Fatalf("%v: exit %d: %s", arguments, code, stderr)
		}
	}
	base := []string{"evaluate", "--model", in("run"), "--data", in("data"), "--precision", "fp32", "--threads", "1", "--report", in("page.html")}
	code, text, stderr := atoll(t, base...)
	if code != exitDone {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	for _, want := range []string{"on the test split of", "n-gram baseline", "macro F1", "true \\ predicted", "会面", "calibration error", in("page.html")} {
		if !strings.Contains(text, want) {
			t.Errorf("the text lacks %q:\n%s", want, text)
		}
	}
	page, err := os.ReadFile(in("page.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"run on the test split of data", "Against the baseline", "Confusion", "Loss"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if code, _, stderr := atoll(t, base...); code != exitFailed || !strings.Contains(stderr, "--overwrite") {
		t.Errorf("an existing report: exit %d, %q; want %d and --overwrite named", code, stderr, exitFailed)
	}
	code, text, stderr = atoll(t, append(base, "--overwrite", "--json", "--baseline=false", "--split", "valid")...)
	var e trainer.Evaluation
	if err := json.Unmarshal([]byte(text), &e); err != nil || code != exitDone {
		t.Fatalf("exit %d, %v: %s%s", code, err, text, stderr)
	}
	if e.Split != "valid" || e.Baseline != nil || e.Classification.Count != int64(e.Documents) || len(e.Labels) != 2 {
		t.Errorf("got %s", text)
	}
}

func TestEvaluateUsage(t *testing.T) {
	for _, arguments := range [][]string{
		{"evaluate"}, {"evaluate", "--model", "m"}, {"evaluate", "--model", "m", "--data", "d", "--split", "train"},
		{"evaluate", "--model", "m", "--data", "d", "--seq", "-1"}, {"evaluate", "--model", "m", "--data", "d", "extra"},
	} {
		if code, _, stderr := atoll(t, arguments...); code != exitUsage || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: exit %d, %q; want %d and one line", arguments, code, stderr, exitUsage)
		}
	}
}

func TestTableAlignsWideCharacters(t *testing.T) {
	var out strings.Builder
	labels := []string{"体育", "ham"}
	if err := confusionTable(labels, [][]int64{{10, 2}, {0, 123}}).write(&out); err != nil {
		t.Fatal(err)
	}
	want := "true \\ predicted  体育  ham\n体育                10    2\nham                  0  123\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestConfusionsOfManyClasses(t *testing.T) {
	labels, counts := make([]string, widestMatrix+1), make([][]int64, widestMatrix+1)
	for k := range labels {
		labels[k], counts[k] = string(rune('a'+k)), make([]int64, len(labels))
		counts[k][k] = 9
	}
	counts[2][1], counts[0][3] = 5, 7
	var out strings.Builder
	if err := confusionTable(labels, counts).write(&out); err != nil {
		t.Fatal(err)
	}
	if want := "true class  predicted  documents\na                   d          7\nc                   b          5\n"; out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestEvaluationReportOfLanguageModel(t *testing.T) {
	r := evaluationReport(&trainer.Evaluation{Model: "runs/a/checkpoints/step-00000009", Data: "data/b/", Split: "test", Truncated: 2, Documents: 3, Sequence: 8,
		Language: &trainer.LanguageScores{Loss: 1.5, Perplexity: 4.48, BitsPerByte: 2.1, Bytes: 10}}, "cpu")
	var page strings.Builder
	if err := metric.WriteReport(&page, r); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a on the test split of b", "Bits per byte", "2.1000", "2 of 3 documents"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}
