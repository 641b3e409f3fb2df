package data

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// numbered gives n texts of very different lengths.
func numbered(n int, given *atomic.Int64) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range n {
			given.Add(1)
			if !yield(fmt.Sprint(i, strings.Repeat("x", i*i%5000))) {
				return
			}
		}
	}
}

func TestEncodeKeepsOrder(t *testing.T) {
	for _, n := range []int{0, 1, 3000} {
		for _, threads := range []int{0, 1, 3} {
			var given atomic.Int64
			var want []string
			for text := range numbered(n, &given) {
				want = append(want, text)
			}
			at := 0
			err := Encode(byteTokenizer{}, threads, numbered(n, &given), func(ids []int32) error {
				if at == n || !slices.Equal(ids, byteTokenizer{}.Encode(nil, want[at])) {
					return fmt.Errorf("the ids of text %d are not its own", at)
				}
				at++
				return nil
			})
			if err != nil || at != n {
				t.Errorf("%d texts, %d threads: %d came back, %v", n, threads, at, err)
			}
		}
	}
}

// Memory is bounded: the texts read stay at most a few batches ahead of those used.
func TestEncodeReadsLittleAhead(t *testing.T) {
	const threads, n = 2, 200
	var given atomic.Int64
	used, most := int64(0), int64(0)
	big := func(yield func(string) bool) {
		for range n {
			given.Add(1)
			if !yield(strings.Repeat("y", batchBytes)) {
				return
			}
		}
	}
	if err := Encode(byteTokenizer{}, threads, big, func([]int32) error {
		most = max(most, given.Load()-used)
		used++
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if used != n || most > 2*threads {
		t.Errorf("%d texts of %d used, up to %d ahead: want at most %d", used, n, most, 2*threads)
	}
}

func TestEncodeEndsWithTheFirstError(t *testing.T) {
	broken := errors.New("disk on fire")
	var given atomic.Int64
	used := 0
	err := Encode(byteTokenizer{}, 2, numbered(1<<20, &given), func([]int32) error {
		if used++; used == 5000 {
			return broken
		}
		return nil
	})
	if err != broken || used != 5000 || given.Load() > 5000+5*batchTexts {
		t.Errorf("%v after %d texts used and %d given, want %v after 5000 and few more", err, used, given.Load(), broken)
	}
}

// Batches are used again: beside the texts themselves nothing is allocated for each.
func TestEncodeAllocations(t *testing.T) {
	texts := make([]string, 20000)
	for i := range texts {
		texts[i] = strings.Repeat("z", 1+i%50)
	}
	few := testing.AllocsPerRun(3, func() { encodeAll(t, texts[:10000]) })
	if many := testing.AllocsPerRun(3, func() { encodeAll(t, texts) }); many > few+50 {
		t.Errorf("%v allocations for 20,000 texts, %v for 10,000: want no more for more texts", many, few)
	}
}

func encodeAll(t *testing.T, texts []string) {
	if err := Encode(byteTokenizer{}, 2, slices.Values(texts), func([]int32) error { return nil }); err != nil {
		t.Error(err)
	}
}

// However many goroutines encode, what is written is the same; a tokenizer's error names the row it belongs to.
func TestWriteNamesTheRowOfABadToken(t *testing.T) {
	dir := writeFiles(t, map[string]string{"a.txt.jsonl": strings.Repeat("{\"text\":\"aa\"}\n", 50) + "{\"text\":\"b\"}\n"})
	o := below(dir, Options{Inputs: []string{"a.txt.jsonl"}, Split: SplitRule{Fractions: [3]float64{1, 0, 0}}})
	_, err := Prepare(context.Background(), o, letterTokenizer{})
	wantError(t, err, "a.txt.jsonl:51", "gave token 1000")
	wantNothing(t, o.Out)
}

// letterTokenizer has a token outside its vocabulary for the letter b.
type letterTokenizer struct{ byteTokenizer }

func (letterTokenizer) Encode(dst []int32, text string) []int32 {
	if text == "b" {
		return append(dst, 1000)
	}
	return append(dst, 1)
}
