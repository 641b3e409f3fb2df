package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"atoll/trainer/data"
)

// writeText puts text into a file of the given name in a new folder.
func writeText(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// labelled is a table with two classes of n rows each.
func labelled(n int) string {
	return "text,label\n" + strings.Repeat("some words,a\nother ones,b\n", n)
}

func TestPrepare(t *testing.T) {
	in, out := writeText(t, "rows.csv", labelled(20)), filepath.Join(t.TempDir(), "data")
	text := mustRun(t, "", "prepare", "--input", in, "--task", "classify", "--tokenizer", "bytes", "--out", out)
	for _, want := range []string{"task classify", "tokenizer bytes of 257 tokens", "train", "a 16, b 16", "duplicates:"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	var m data.Manifest
	parseJSON(t, mustRun(t, "", "prepare", in, "--task", "classify", "--tokenizer", "bytes", "--out", out, "--overwrite", "--json"), &m)
	if got := m.Splits["train"].Documents + m.Splits["valid"].Documents + m.Splits["test"].Documents; got != 40 {
		t.Errorf("%d documents in the three splits, want all 40", got)
	}
}

// A language model's own validation text leaves all of the input to training; classes keep a test split.
func TestPrepareValidFile(t *testing.T) {
	text, table := writeText(t, "in.txt", strings.Repeat("some words\n", 40)), writeText(t, "in.csv", labelled(20))
	for _, c := range []struct {
		args    []string
		holdOut bool // whether some of the input is held out for the test
	}{
		{[]string{text, "--valid", writeText(t, "v.txt", "others\n")}, false},
		{[]string{text, "--valid", writeText(t, "v.txt", "others\n"), "--split", "0.5,0,0.5"}, true},
		{[]string{text}, true},
		{[]string{table, "--task", "classify", "--valid", writeText(t, "v.csv", labelled(1))}, true},
	} {
		var m data.Manifest
		parseJSON(t, mustRun(t, "", append([]string{"prepare", "--tokenizer", "bytes", "--json", "--out", filepath.Join(t.TempDir(), "data")}, c.args...)...), &m)
		if test := m.Splits["test"].Tokens > 0; test != c.holdOut {
			t.Errorf("%v: a test split of %d tokens, want some: %v", c.args, m.Splits["test"].Tokens, c.holdOut)
		}
	}
}

func TestPrepareRefuses(t *testing.T) {
	good := writeText(t, "good.csv", labelled(20))
	taken := t.TempDir()
	if err := os.WriteFile(filepath.Join(taken, "mine.txt"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"nothing", nil, exitUsage, "--input"},
		{"a bad split", []string{good, "--split", "0.5,0.6,0.1"}, exitUsage, "sum to"},
		{"an unknown task", []string{good, "--task", "rank"}, exitFailed, "want lm, classify or multilabel"},
		{"an empty file", []string{writeText(t, "empty.csv", ""), "--task", "classify"}, exitFailed, "empty"},
		{"a binary file", []string{writeText(t, "a.csv", "text,label\n\x00\x01,a\n"), "--task", "classify"}, exitFailed, "a.csv:2"},
		{"no such column", []string{good, "--task", "classify", "--label", "stars"}, exitFailed, `no column "stars"`},
		{"a ragged row", []string{writeText(t, "b.csv", "text,label\nx,y,z\n"), "--task", "classify"}, exitFailed, "b.csv:2: 3 columns, want 2"},
		{"white space", []string{writeText(t, "c.csv", "text,label\n   ,a\n"), "--task", "classify"}, exitFailed, "c.csv:2"},
		{"bytes that are not UTF-8", []string{writeText(t, "d.txt", "caf\xe9\n")}, exitFailed, "d.txt:1"},
		{"an output that is something else", []string{good, "--task", "classify", "--out", taken, "--overwrite"}, exitFailed, taken},
	} {
		args := append([]string{"prepare", "--tokenizer", "bytes"}, c.args...)
		if c.args != nil && !strings.Contains(strings.Join(c.args, " "), "--out") {
			args = append(args, "--out", filepath.Join(t.TempDir(), "data"))
		}
		code, out, errs := command(t, "", args...)
		if code != c.code || out != "" || !strings.Contains(errs, c.says) {
			t.Errorf("%s: exit %d, stdout %q, stderr %q; want %d and %q", c.name, code, out, errs, c.code, c.says)
		}
	}
	if text, err := os.ReadFile(filepath.Join(taken, "mine.txt")); err != nil || string(text) != "x" {
		t.Errorf("a foreign file in --out is now %q, %v", text, err)
	}
}

func TestPrepareKeepsWhatIsThere(t *testing.T) {
	in, out := writeText(t, "rows.csv", labelled(20)), filepath.Join(t.TempDir(), "data")
	args := []string{"prepare", in, "--task", "classify", "--tokenizer", "bytes", "--out", out}
	mustRun(t, "", args...)
	if code, _, errs := command(t, "", args...); code != exitFailed || !strings.Contains(errs, "overwrite") {
		t.Errorf("exit %d, %q over a data directory that is there; want 1 and the way out", code, errs)
	}
}

func TestPrepareInterrupted(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	in, out := writeText(t, "rows.csv", labelled(20)), filepath.Join(t.TempDir(), "data")
	var errs strings.Builder
	code := run(ctx, []string{"prepare", in, "--task", "classify", "--tokenizer", "bytes", "--out", out}, strings.NewReader(""), &errs, &errs)
	if code != exitInterrupted || fileExists(out) {
		t.Errorf("exit %d, output there: %v, %q; want 130 and nothing written", code, fileExists(out), errs.String())
	}
}
