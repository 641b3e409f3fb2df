package predict

import (
	"math"
	"slices"
	"testing"

	"atoll/engine/lower"
	"atoll/kernels"
	"atoll/kernels/cpu"
)

// The likeliest text is the same with packed weights, over a prompt that takes programs of all sizes and a text that passes the
// model's positions.
func TestPackedWeightsWriteTheSameText(t *testing.T) {
	prompt := "a prompt of more than eight characters, of seventy-two and a few more: abc"
	for _, variant := range cpu.Variants() {
		m := over(t, open(t, cpu.Options{Threads: 2, Variant: variant}), tiny(100), nil)
		want, _ := generated(t, m, prompt, Sampling{MaxTokens: 60})
		m.Release()
		m.compute(Options{Packing: lower.PackAlike})
		if got, _ := generated(t, m, prompt, Sampling{MaxTokens: 60}); got != want {
			t.Errorf("%s: the text is %q packed, %q unpacked", variant, got, want)
		}
		m.Release()
		m.compute(Options{Packing: lower.PackInt8})
		if got, n := generated(t, m, prompt, Sampling{MaxTokens: 60}); n == 0 || len(got) == 0 {
			t.Errorf("%s: no text in int8", variant)
		}
	}
}

// A model in a file packs its weights when there is enough to do, at once in int8, and never where that was not asked for.
func TestPackingWhenItPays(t *testing.T) {
	device := open(t, cpu.Options{Threads: 1})
	m := over(t, device, tiny(40, "a", "b", "c"), nil)
	document := [][]int32{{1, 2, 3, 4, 5}}
	var first []float32
	for _, c := range []struct {
		name  string
		o     Options
		calls int // after which there are packed weights; 0: never
	}{
		{"unpacked", Options{}, 0},
		{"in a file", Options{Packing: lower.PackAlike, Mapped: true}, worthPacking},
		{"of a server", Options{Packing: lower.PackAlike}, 1},
		{"in a file, bf16", Options{Packing: lower.PackAlike, Mapped: true, Precision: kernels.BF16}, 1},
		{"in a file, int8", Options{Packing: lower.PackInt8, Mapped: true}, 1},
	} {
		m.Release()
		m.compute(c.o)
		bytes := m.store.Bytes()
		packedAfter := 0
		for n := range worthPacking + 1 {
			answers, err := m.ClassifyTokens(t.Context(), document)
			if err != nil {
				t.Fatal(err)
			}
			if packed := m.packing != lower.Unpacked; packed && packedAfter == 0 {
				packedAfter = n + 1
			}
			if first == nil {
				first = answers[0].Logits
			}
			if c.o.Precision == kernels.F32 && c.o.Packing != lower.PackInt8 && !slices.Equal(answers[0].Logits, first) {
				t.Errorf("%s: call %d gives %v, want %v", c.name, n, answers[0].Logits, first)
			}
		}
		if packedAfter != c.calls {
			t.Errorf("%s: packed after %d calls, want %d", c.name, packedAfter, c.calls)
		}
		if c.name == "in a file" && m.store.Bytes() <= bytes {
			t.Errorf("%s: the store has %d bytes before and %d after", c.name, bytes, m.store.Bytes())
		}
	}
}

// Logits of random wide weights are off by a few hundredths of their size in int8; and a text has the bits of the text alone.
func TestInt8ScoresAsAlone(t *testing.T) {
	m := over(t, open(t, cpu.Options{Threads: 2}), tiny(40, "a", "b", "c"), nil)
	documents := [][]int32{{1}, {7, 7, 7, 7, 7, 7, 7, 7, 7}, {200, 100, 50}, {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4}}
	exact, err := m.ClassifyTokens(t.Context(), documents)
	if err != nil {
		t.Fatal(err)
	}
	m.Release()
	m.compute(Options{Packing: lower.PackInt8})
	together, err := m.ClassifyTokens(t.Context(), documents)
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range documents {
		alone, err := m.ClassifyTokens(t.Context(), [][]int32{d})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(alone[0].Logits, together[i].Logits) {
			t.Errorf("document %d: %v alone, %v with others", i, alone[0].Logits, together[i].Logits)
		}
		for k, v := range together[i].Logits {
			if e := math.Abs(float64(v - exact[i].Logits[k])); e > 0.3 {
				t.Errorf("document %d: logit %d is %g, in fp32 %g", i, k, v, exact[i].Logits[k])
			}
		}
	}
}
