package data

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// byteTokenizer gives each byte its value and ends texts with 256.
type byteTokenizer struct{ vocabulary int }

func (t byteTokenizer) Encode(dst []int32, text string) []int32 {
	for i := range len(text) {
		dst = append(dst, int32(text[i]))
	}
	return dst
}
func (t byteTokenizer) VocabSize() int   { return max(t.vocabulary, 257) }
func (t byteTokenizer) EndOfText() int32 { return 256 }
func (t byteTokenizer) Save(dir string) error {
	return os.WriteFile(filepath.Join(dir, "tokenizer.json"), []byte("{}\n"), 0o644)
}

// writeFiles writes name, content pairs into a new folder.
func writeFiles(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// below puts dir before every path of the options, and the output beside them.
func below(dir string, o Options) Options {
	in := func(paths []string) []string {
		var out []string
		for _, p := range paths {
			out = append(out, filepath.Join(dir, p))
		}
		return out
	}
	o.Inputs, o.Valid, o.Test = in(o.Inputs), in(o.Valid), in(o.Test)
	o.Out = filepath.Join(dir, "out")
	return o
}

// prepare imports with the byte tokenizer and opens the result.
func prepare(t testing.TB, o Options) *Dataset {
	t.Helper()
	if _, err := Prepare(context.Background(), o, byteTokenizer{}); err != nil {
		t.Fatal(err)
	}
	return open(t, o.Out)
}

func open(t testing.TB, dir string) *Dataset {
	t.Helper()
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	if err := d.Verify(); err != nil {
		t.Fatal(err)
	}
	return d
}

func split(t testing.TB, d *Dataset, name string) *Split {
	t.Helper()
	s, err := d.Split(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// texts decodes the documents of a split written with the byte tokenizer.
func texts(t testing.TB, s *Split) []string {
	t.Helper()
	var all []string
	for i := range s.Documents() {
		tokens, err := s.Document(nil, i)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, len(tokens))
		for j, token := range tokens {
			b[j] = byte(token)
		}
		all = append(all, string(b))
	}
	return all
}

// labelsOf names the labels of each document, several joined by "+".
func labelsOf(s *Split) []string {
	var all []string
	for i := range s.Documents() {
		var names []string
		for k, name := range s.set.Manifest.Labels {
			if s.labels != nil && s.Label(i) == int32(k) || s.sets != nil && s.HasLabel(i, k) {
				names = append(names, name)
			}
		}
		all = append(all, strings.Join(names, "+"))
	}
	return all
}

func wantStrings(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s %.300q, want %.300q", what, got, want)
	}
}

// wantError checks that an error is one line that has every part.
func wantError(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q lacks %q", err, part)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error has several lines: %q", err)
	}
}

// wantNothing checks that a failed import left only what was there before.
func wantNothing(t testing.TB, out string) {
	t.Helper()
	if _, err := os.Lstat(out); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("output %s is there: %v", out, err)
	}
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(out), ".*tmp*"))
	if len(left) > 0 {
		t.Errorf("left behind: %s", left)
	}
}
