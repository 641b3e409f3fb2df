package data

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// randomTexts writes n texts of 1 to longest bytes with label i%3, and with several labels for MultiLabel.
func randomTexts(n, longest int) string {
	random := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s\t%d,%d\n", strings.Repeat(string(rune('a'+i%26)), 1+random.IntN(longest)), i%3, 3+i%2)
	}
	return b.String()
}

func tokenData(t *testing.T, n, longest int) *Split {
	o := Options{Inputs: []string{"a.tsv"}, Text: []string{"0"}, Split: allTraining, shardTokens: 333}
	d := prepare(t, below(writeFiles(t, map[string]string{"a.tsv": randomTexts(n, longest)}), o))
	return split(t, d, "train")
}

func documentData(t *testing.T, task Task, n, longest int) *Split {
	o := Options{Task: task, Inputs: []string{"a.tsv"}, Text: []string{"0"}, Label: "1", Split: allTraining}
	d := prepare(t, below(writeFiles(t, map[string]string{"a.tsv": randomTexts(n, longest)}), o))
	return split(t, d, "train")
}

// allTokens reads the whole token stream of a split.
func allTokens(t *testing.T, s *Split) []int32 {
	t.Helper()
	all := make([]int32, s.Tokens())
	if err := s.read(all, 0, make([]byte, 0, 1000)); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestEveryTokenOnce counts the targets of an epoch: every token but the first, each once, each behind its own context.
func TestEveryTokenOnce(t *testing.T) {
	s := tokenData(t, 40, 60)
	all := allTokens(t, s)
	for _, c := range []struct{ B, T int }{{4, 16}, {3, 7}, {1, 1}, {64, 64}, {2, len(all) - 1}, {2, len(all)}, {5, len(all) * 2}} {
		for _, inOrder := range []bool{false, true} {
			l, err := NewTokenLoader(s, LoaderOptions{B: c.B, T: c.T, Seed: 5, InOrder: inOrder})
			if err != nil {
				t.Fatal(err)
			}
			for epoch := range 2 {
				if inOrder && epoch == 1 {
					break
				}
				seen := make([]int, len(all))
				counted := 0
				for range l.Batches() {
					b, err := l.Next()
					if err != nil {
						t.Fatal(err)
					}
					if b.Epoch != epoch {
						t.Fatalf("B %d T %d: batch of epoch %d, want %d", c.B, c.T, b.Epoch, epoch)
					}
					counted += countTargets(t, all, seen, b, c.T)
				}
				for at, n := range seen {
					if at == 0 && n != 0 || at > 0 && n != 1 {
						t.Fatalf("B %d T %d: token %d was a target %d times", c.B, c.T, at, n)
					}
				}
				if counted != len(all)-1 {
					t.Errorf("B %d T %d: %d targets counted, want %d", c.B, c.T, counted, len(all)-1)
				}
			}
			if _, err := l.Next(); inOrder != (err == io.EOF) {
				t.Errorf("in order %v: after the epoch came %v", inOrder, err)
			}
			l.Close()
		}
	}
}

// countTargets marks the targets of a batch in seen and compares inputs and targets with the stream.
func countTargets(t *testing.T, all []int32, seen []int, b *TokenBatch, T int) int {
	t.Helper()
	count := 0
	for row := range len(b.Inputs) / T {
		for i := range T {
			at := row*T + i
			if b.Targets[at] == Ignored {
				if b.Inputs[at] != 256 {
					t.Fatalf("padding is token %d", b.Inputs[at])
				}
				continue
			}
			if row >= b.Rows {
				t.Fatalf("target in row %d of %d", row, b.Rows)
			}
			place := int(b.windows[row])*T + i
			if b.Inputs[at] != all[place] || b.Targets[at] != all[place+1] {
				t.Fatalf("place %d gives %d -> %d, want %d -> %d", place, b.Inputs[at], b.Targets[at], all[place], all[place+1])
			}
			seen[place+1]++
			count++
		}
	}
	if count != b.TargetCount {
		t.Fatalf("TargetCount %d, found %d", b.TargetCount, count)
	}
	return count
}

// TestShuffled holds that the order depends on seed and epoch and is not the order of the text.
func TestShuffled(t *testing.T) {
	s := tokenData(t, 40, 60)
	order := func(seed uint64) (epochs [2][]int64) {
		l, err := NewTokenLoader(s, LoaderOptions{B: 1, T: 8, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		for e := range epochs {
			for range l.Batches() {
				b, err := l.Next()
				if err != nil {
					t.Fatal(err)
				}
				epochs[e] = append(epochs[e], b.windows[0])
			}
		}
		return epochs
	}
	one, same, other := order(1), order(1), order(2)
	if !slices.Equal(one[0], same[0]) || !slices.Equal(one[1], same[1]) {
		t.Error("the same seed gave another order")
	}
	if slices.Equal(one[0], one[1]) || slices.Equal(one[0], other[0]) || slices.IsSorted(one[0]) {
		t.Error("seed or epoch does not change the order")
	}
}

// TestPermutation holds that each number comes once, for every size up to 300 and some large ones.
func TestPermutation(t *testing.T) {
	sizes := []int64{4095, 4096, 4097, 65537}
	for n := int64(1); n <= 300; n++ {
		sizes = append(sizes, n)
	}
	for _, n := range sizes {
		p := newPermutation(n, 7, 3)
		seen := make([]bool, n)
		for i := range n {
			x := p.at(i)
			if seen[x] {
				t.Fatalf("size %d: %d comes twice", n, x)
			}
			seen[x] = true
		}
	}
	// In a random order of n, a number stands on average n/3 from its place.
	const n = 10000
	p := newPermutation(n, 1, 0)
	far := 0.0
	for i := range int64(n) {
		far += float64(max(p.at(i)-i, i-p.at(i)))
	}
	if mean := far / n / n; mean < 0.32 || mean > 0.35 {
		t.Errorf("mean distance %.3f n, want 0.333", mean)
	}
}

func TestTokenLoaderDocuments(t *testing.T) {
	s := tokenData(t, 40, 60)
	all := allTokens(t, s)
	l, err := NewTokenLoader(s, LoaderOptions{B: 3, T: 50, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	document := make([]int, len(all)) // of each token, counted here
	for i, n := 0, -1; i < len(all); i++ {
		if all[i] == 256 {
			n++
		}
		document[i] = n
	}
	for range l.Batches() {
		b, err := l.Next()
		if err != nil {
			t.Fatal(err)
		}
		var want []int
		for _, w := range b.windows {
			want = append(want, document[w*50:min(int(w)*50+51, len(all))]...)
		}
		slices.Sort(want)
		if got := l.Documents(b); !slices.Equal(got, slices.Compact(want)) {
			t.Fatalf("documents %v, want %v", got, slices.Compact(want))
		}
	}
}

// TestEveryDocumentOnce holds that an epoch has each document once, whole or cut at T, with its labels.
func TestEveryDocumentOnce(t *testing.T) {
	const n, T = 203, 48
	for _, task := range []Task{Classify, MultiLabel} {
		s := documentData(t, task, n, 70)
		long := 0
		for _, text := range texts(t, s) {
			if len(text) > T {
				long++
			}
		}
		for _, o := range []LoaderOptions{{B: 8, T: T, Seed: 1}, {B: 8, T: T, InOrder: true}, {B: 1, T: T}, {B: 300, T: T}} {
			l, err := NewDocumentLoader(s, o)
			if err != nil {
				t.Fatal(err)
			}
			var order []int
			for range l.Batches() {
				b, err := l.Next()
				if err != nil {
					t.Fatal(err)
				}
				checkDocumentBatch(t, s, l, b)
				order = append(order, b.Documents...)
			}
			if o.InOrder != slices.IsSorted(order) {
				t.Errorf("%+v: in order is %v", o, slices.IsSorted(order))
			}
			slices.Sort(order)
			if len(order) != n || len(slices.Compact(order)) != n {
				t.Errorf("%+v: %d documents, want %d different ones", o, len(order), n)
			}
			if l.Truncated() != long {
				t.Errorf("%d truncated, want %d", l.Truncated(), long)
			}
			l.Close()
		}
	}
}

func checkDocumentBatch(t *testing.T, s *Split, l *DocumentLoader, b *DocumentBatch) {
	t.Helper()
	longest := 0
	for row := range l.opts.B {
		inputs := b.Inputs[row*b.T : (row+1)*b.T]
		var want []int32
		label, bits := int32(Ignored), make([]float32, l.classes)
		if row < b.Rows {
			i := b.Documents[row]
			want, _ = s.Document(nil, i)
			want = want[:min(len(want), l.opts.T)]
			if s.labels != nil {
				label = s.Label(i)
			} else {
				bits[i%3], bits[3+i%2] = 1, 1 // as randomTexts wrote them
			}
		}
		longest = max(longest, len(want))
		if int(b.Lengths[row]) != len(want) || !slices.Equal(inputs[:len(want)], want) {
			t.Fatalf("row %d has length %d, want %d, or other tokens", row, b.Lengths[row], len(want))
		}
		for _, token := range inputs[len(want):] {
			if token != 256 {
				t.Fatalf("padding is token %d", token)
			}
		}
		if b.Labels != nil && b.Labels[row] != label {
			t.Fatalf("row %d has label %d, want %d", row, b.Labels[row], label)
		}
		if b.LabelSets != nil && !slices.Equal(b.LabelSets[row*l.classes:(row+1)*l.classes], bits) {
			t.Fatalf("row %d has labels %v, want %v", row, b.LabelSets[row*l.classes:(row+1)*l.classes], bits)
		}
	}
	if b.T != BucketLength(longest, l.opts.T) {
		t.Fatalf("batch is %d long, want the bucket of %d", b.T, longest)
	}
}

func TestBucketLength(t *testing.T) {
	for _, c := range [][3]int{{0, 512, 8}, {1, 512, 8}, {8, 512, 8}, {9, 512, 16}, {64, 512, 64}, {65, 512, 80}, {256, 512, 256},
		{257, 512, 320}, {512, 512, 512}, {3, 5, 5}, {500, 510, 510}} {
		if got := BucketLength(c[0], c[1]); got != c[2] {
			t.Errorf("BucketLength(%d, %d) is %d, want %d", c[0], c[1], got, c[2])
		}
	}
}

// TestBucketsSavePadding holds that sorting within pools is worth it: at most a tenth of the tokens are padding.
func TestBucketsSavePadding(t *testing.T) {
	s := documentData(t, Classify, 2000, 200)
	l, err := NewDocumentLoader(s, LoaderOptions{B: 8, T: 256, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	used, all := 0, 0
	for range l.Batches() {
		b, err := l.Next()
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range b.Lengths {
			used += int(n)
		}
		all += len(b.Inputs)
	}
	if padding := 1 - float64(used)/float64(all); padding > 0.1 {
		t.Errorf("%.1f %% padding, want at most 10 %%", 100*padding)
	}
}

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
