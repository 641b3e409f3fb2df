package data

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
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
				counted, rows := 0, 0
				for range l.Batches() {
					b, err := l.Next()
					if err != nil {
						t.Fatal(err)
					}
					if b.Epoch != epoch {
						t.Fatalf("B %d T %d: batch of epoch %d, want %d", c.B, c.T, b.Epoch, epoch)
					}
					counted += countTargets(t, all, seen, b, c.T)
					rows += b.Rows
				}
				for at, n := range seen {
					if at == 0 && n != 0 || at > 0 && n != 1 {
						t.Fatalf("B %d T %d: token %d was a target %d times", c.B, c.T, at, n)
					}
				}
				if want := (len(all) - 1 + c.T - 1) / c.T; rows != want {
					t.Errorf("B %d T %d: %d rows, want %d", c.B, c.T, rows, want)
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
