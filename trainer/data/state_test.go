package data

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// source is what the two loaders have in common, a batch as text.
type source interface {
	next() (string, error)
	State() State
	Restore(State) error
	Close()
}

type tokenSource struct{ *TokenLoader }

func (s tokenSource) next() (string, error) {
	b, err := s.Next()
	if err != nil {
		return "", err
	}
	return fmt.Sprint(b.Epoch, b.Index, b.Rows, b.TargetCount, b.Inputs, b.Targets), nil
}

type documentSource struct{ *DocumentLoader }

func (s documentSource) next() (string, error) {
	b, err := s.Next()
	if err != nil {
		return "", err
	}
	return fmt.Sprint(b.Epoch, b.Index, b.Rows, b.Inputs, b.Lengths, b.Labels, b.LabelSets, b.Documents), nil
}

// loaders makes each kind of loader over small data.
func loaders(t *testing.T, inOrder bool) map[string]func() source {
	tokens, documents := tokenData(t, 12, 30), documentData(t, MultiLabel, 31, 30)
	o := LoaderOptions{B: 4, T: 8, Seed: 9, InOrder: inOrder}
	return map[string]func() source{
		"tokens": func() source {
			l, err := NewTokenLoader(tokens, o)
			if err != nil {
				t.Fatal(err)
			}
			return tokenSource{l}
		},
		"documents": func() source {
			l, err := NewDocumentLoader(documents, o)
			if err != nil {
				t.Fatal(err)
			}
			return documentSource{l}
		},
	}
}

// TestRestore runs three epochs and, from the position saved after each batch, goes on in a new loader through JSON; the
// rest must be the same to the last token, across epochs too.
func TestRestore(t *testing.T) {
	for name, create := range loaders(t, false) {
		t.Run(name, func(t *testing.T) {
			l := create()
			defer l.Close()
			states, batches := []State{l.State()}, []string{}
			for l.State().Epoch < 3 {
				b, err := l.next()
				if err != nil {
					t.Fatal(err)
				}
				batches = append(batches, b)
				states = append(states, l.State())
			}
			again := create()
			defer again.Close()
			for i, state := range states[:len(batches)] {
				restoreThroughJSON(t, again, state)
				for j := i; j < min(i+len(batches)/3+2, len(batches)); j++ {
					if b, err := again.next(); err != nil || b != batches[j] {
						t.Fatalf("restored behind batch %d, batch %d is\n%s, %v, want\n%s", i, j, b, err, batches[j])
					}
					if again.State() != states[j+1] {
						t.Fatalf("state %+v, want %+v", again.State(), states[j+1])
					}
				}
			}
		})
	}
}

func restoreThroughJSON(t *testing.T, l source, state State) {
	t.Helper()
	b, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	var read State
	if err := json.Unmarshal(b, &read); err != nil {
		t.Fatal(err)
	}
	if err := l.Restore(read); err != nil {
		t.Fatal(err)
	}
}

// TestRestoreInOrder holds that an evaluation goes on to its end, and stays there.
func TestRestoreInOrder(t *testing.T) {
	for name, create := range loaders(t, true) {
		t.Run(name, func(t *testing.T) {
			l := create()
			defer l.Close()
			var states []State
			for {
				if _, err := l.next(); err == io.EOF {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				states = append(states, l.State())
			}
			for i, state := range states {
				restoreThroughJSON(t, l, state)
				left := 0
				for {
					if _, err := l.next(); err != nil {
						break
					}
					left++
				}
				if left != len(states)-1-i {
					t.Errorf("%d batches left behind batch %d, want %d", left, i, len(states)-1-i)
				}
			}
		})
	}
}

func TestRestoreRefuses(t *testing.T) {
	for name, create := range loaders(t, false) {
		l := create()
		for part, change := range map[string]func(*State){
			"kind":            func(s *State) { s.Kind = "images" },
			"data set":        func(s *State) { s.Data = "0123456789abcdef" },
			"split":           func(s *State) { s.Split = "valid" },
			"batch 5":         func(s *State) { s.B = 5 },
			"sequence length": func(s *State) { s.T = 9 },
			"seed":            func(s *State) { s.Seed = 10 },
			"in-order":        func(s *State) { s.InOrder = true },
			"version":         func(s *State) { s.Version = 2 },
			"damaged":         func(s *State) { s.Next = 1 << 40 },
			"epoch -1":        func(s *State) { s.Epoch = -1 },
		} {
			state := l.State()
			change(&state)
			t.Run(name+"/"+part, func(t *testing.T) { wantError(t, l.Restore(state), part) })
		}
		l.Close()
	}
}

// TestCloseEndsPrefetching holds that no goroutine stays, however far the loader got, and that it can go on after Close.
func TestCloseEndsPrefetching(t *testing.T) {
	all := loaders(t, false)
	before := runtime.NumGoroutine()
	for name, create := range all {
		for taken := range 4 {
			l := create()
			var state State
			for range taken {
				if _, err := l.next(); err != nil {
					t.Fatal(err)
				}
				state = l.State()
			}
			l.Close()
			l.Close()
			if taken > 0 && l.State() != state {
				t.Errorf("%s: Close moved the position", name)
			}
			if taken == 3 {
				if _, err := l.next(); err != nil {
					t.Error(err)
				}
				l.Close()
			}
		}
	}
	for wait := 0; runtime.NumGoroutine() > before && wait < 100; wait++ {
		time.Sleep(time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines, %d before", n, before)
	}
}

func TestNextAllocatesNothing(t *testing.T) {
	tokens, documents := tokenData(t, 400, 60), documentData(t, Classify, 1000, 60)
	tl, err := NewTokenLoader(tokens, LoaderOptions{B: 4, T: 32})
	if err != nil {
		t.Fatal(err)
	}
	defer tl.Close()
	dl, err := NewDocumentLoader(documents, LoaderOptions{B: 4, T: 32})
	if err != nil {
		t.Fatal(err)
	}
	defer dl.Close()
	for name, next := range map[string]func() error{
		"tokens":    func() error { _, err := tl.Next(); return err },
		"documents": func() error { _, err := dl.Next(); return err },
	} {
		if n := testing.AllocsPerRun(200, func() {
			if err := next(); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("%s: %g allocations a batch, want 0", name, n)
		}
	}
}

func TestLoaderRefuses(t *testing.T) {
	o := below(writeFiles(t, map[string]string{"a.tsv": labelledRows(30)}), with(byNumber, "a.tsv"))
	o.Split = allTraining
	labelled := prepare(t, o)
	unlabelled := tokenData(t, 3, 9)
	for _, c := range []struct {
		name  string
		err   error
		parts []string
	}{
		{"empty split", second(NewTokenLoader(split(t, labelled, "test"), LoaderOptions{B: 1, T: 1})), []string{"test", "0 tokens", "--split"}},
		{"empty split of documents", second(NewDocumentLoader(split(t, labelled, "test"), LoaderOptions{B: 1, T: 1})), []string{"test", "empty"}},
		{"no labels", second(NewDocumentLoader(unlabelled, LoaderOptions{B: 1, T: 1})), []string{"no labels", "--task"}},
		{"no batch", second(NewTokenLoader(unlabelled, LoaderOptions{T: 1})), []string{"batch 0"}},
		{"no sequence", second(NewDocumentLoader(split(t, labelled, "train"), LoaderOptions{B: 1})), []string{"0 tokens"}},
		{"unknown split", second(labelled.Split("dev")), []string{`"dev"`, "valid"}},
	} {
		t.Run(c.name, func(t *testing.T) { wantError(t, c.err, c.parts...) })
	}
}

func second[A any](_ A, err error) error { return err }

// TestVanishedShard holds that a read error ends the batches with the file's name.
func TestVanishedShard(t *testing.T) {
	s := tokenData(t, 40, 60)
	if err := os.Truncate(filepath.Join(s.set.Dir(), "train-00001.bin"), shardHeader+40); err != nil {
		t.Fatal(err)
	}
	l, err := NewTokenLoader(s, LoaderOptions{B: 1, T: 100, InOrder: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range l.Batches() {
		if _, err = l.Next(); err != nil {
			break
		}
	}
	wantError(t, err, "train-00001.bin", "cannot be read")
}
