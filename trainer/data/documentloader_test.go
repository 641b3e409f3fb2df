package data

import (
	"slices"
	"testing"
)

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

// TestDocumentOrder holds that seed and epoch change the order, and nothing else does.
func TestDocumentOrder(t *testing.T) {
	s := documentData(t, Classify, 203, 70)
	order := func(seed uint64) (epochs [2][]int) {
		l, err := NewDocumentLoader(s, LoaderOptions{B: 8, T: 48, Seed: seed})
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
				epochs[e] = append(epochs[e], b.Documents...)
			}
		}
		return epochs
	}
	one, same, other := order(1), order(1), order(2)
	if !slices.Equal(one[0], same[0]) || !slices.Equal(one[1], same[1]) {
		t.Error("the same seed gave another order")
	}
	if slices.Equal(one[0], one[1]) || slices.Equal(one[0], other[0]) {
		t.Error("seed or epoch does not change the order")
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
