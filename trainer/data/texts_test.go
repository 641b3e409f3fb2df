package data

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// typed gives its parts one a read and counts the reads, as a terminal does.
type typed struct {
	parts []string
	reads int
}

func (r *typed) Read(p []byte) (int, error) {
	if len(r.parts) == 0 {
		return 0, io.EOF
	}
	r.reads++
	n := copy(p, r.parts[0])
	r.parts = r.parts[1:]
	return n, nil
}

func (r *typed) Close() error { return nil }

// Nothing may be asked of a person beyond the line that is being read.
func TestTextsDoNotWaitForMore(t *testing.T) {
	in := &typed{parts: []string{"a\n", "\n", "b\nc\n"}}
	texts, err := NewTexts("stdin", in, TextOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer texts.Close()
	for n, want := range []struct {
		text  string
		reads int
		ready bool
	}{{"a", 1, false}, {"", 2, false}, {"b", 3, true}, {"c", 3, false}} {
		text, line, err := texts.Next()
		if text != want.text || line != int64(n+1) || err != nil || in.reads != want.reads || texts.Ready() != want.ready {
			t.Errorf("text %d is %q of line %d (%v) after %d reads, ready %v; want %+v", n, text, line, err, in.reads, texts.Ready(), want)
		}
	}
	if _, _, err := texts.Next(); err != io.EOF {
		t.Errorf("error at the end is %v, want io.EOF", err)
	}
}

func TestTextsOfAnyBytes(t *testing.T) {
	const text = "nul \x00\nlatin caf\xe9\nlast"
	for _, c := range []struct {
		any  bool
		want []Reason // "" for a text
	}{{true, []Reason{"", "", ""}}, {false, []Reason{BinaryFile, InvalidUTF8, ""}}} {
		texts, err := NewTexts("f", io.NopCloser(strings.NewReader(text)), TextOptions{AnyBytes: c.any})
		if err != nil {
			t.Fatal(err)
		}
		for n, want := range c.want {
			got, _, err := texts.Next()
			var bad *BadRow
			reason := Reason("")
			if errors.As(err, &bad) {
				reason = bad.Reason
				if bad.Line != int64(n+1) {
					t.Errorf("bad row is said to be in line %d, it is in %d", bad.Line, n+1)
				}
			} else if got != strings.Split(text, "\n")[n] {
				t.Errorf("text %d is %q", n, got)
			}
			if reason != want {
				t.Errorf("any bytes %v: row %d is bad by %q, want %q", c.any, n, reason, want)
			}
		}
	}
}
