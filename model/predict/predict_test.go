package predict

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"atoll/engine"
	"atoll/kernels"
	"atoll/kernels/cpu"
	"atoll/model"
	"atoll/model/bpe"
	"atoll/model/checkpoint"
	"atoll/model/gpt2"
)

// tiny is a model over bytes; with labels a classifier. Sizes are odd, so that no tile divides them.
func tiny(positions int, labels ...string) model.Config {
	c := model.Config{Vocab: bpe.Bytes().VocabSize(), Positions: positions, Width: 20, Layers: 2, Heads: 2, Inner: 52, Epsilon: 1e-5, InitRange: 0.02,
		EndOfText: int(bpe.Bytes().EndOfText()), PadToken: 0, Labels: labels}
	if len(labels) > 0 {
		c.Problem = model.SingleLabel
	}
	return c
}

func open(t *testing.T, o cpu.Options) *cpu.Device {
	t.Helper()
	d, err := cpu.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// over is a model of wide random weights on d; change may spoil them by name.
func over(t *testing.T, d kernels.Device, c model.Config, change func(name string, values []float32)) *Model {
	t.Helper()
	store, err := engine.NewStore(d, c.Params(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range c.Params() {
		random := rand.New(rand.NewPCG(uint64(len(p.Name)), uint64(p.Len())))
		values := make([]float32, p.Len())
		for i := range values {
			values[i] = float32(p.Init.Mean) + 0.4*float32(random.NormFloat64())
		}
		if change != nil {
			change(p.Name, values)
		}
		if err := store.Write(engine.Weights, p.Name, values); err != nil {
			t.Fatal(err)
		}
	}
	m := Over(store, c, bpe.Bytes(), Options{Precision: kernels.F32})
	t.Cleanup(m.Close)
	return m
}

// TestRowsScoreAsAlone scores texts of all lengths from 1 to 40 in one call, in an order that mixes them, and holds every
// logit against the text's own, bit for bit, on each instruction set and on any number of threads.
func TestRowsScoreAsAlone(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var documents [][]int32
	for _, n := range random.Perm(40) {
		document := make([]int32, n+1)
		for i := range document {
			document[i] = int32(random.IntN(256))
		}
		documents = append(documents, document, document[:1])
	}
	for _, variant := range cpu.Variants() {
		m := over(t, open(t, cpu.Options{Variant: variant, Threads: 2}), tiny(40, "a", "b", "c"), nil)
		single := over(t, open(t, cpu.Options{Variant: variant, Threads: 1}), tiny(40, "a", "b", "c"), nil)
		together, err := m.ClassifyTokens(t.Context(), documents)
		if err != nil {
			t.Fatal(err)
		}
		for i, d := range documents {
			alone, err := single.ClassifyTokens(t.Context(), [][]int32{d})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(together[i].Logits, alone[0].Logits) || together[i].Tokens != len(d) || together[i].Truncated {
				t.Errorf("%s: document %d of %d tokens: %+v, alone %+v", variant, i, len(d), together[i], alone[0])
			}
			exact := unpadded(t, single, d)
			if !slices.Equal(alone[0].Logits, exact) {
				t.Errorf("%s: document %d of %d tokens: %v padded, %v without padding", variant, i, len(d), alone[0].Logits, exact)
			}
		}
		if slices.Equal(together[0].Logits, together[2].Logits) {
			t.Errorf("%s: different documents have the logits %v", variant, together[0].Logits)
		}
	}
}

// unpadded are the logits of a program that is exactly as long as the document.
func unpadded(t *testing.T, m *Model, document []int32) []float32 {
	t.Helper()
	p, err := m.compile(1, len(document))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Free()
	copy(p.Ints(gpt2.Tokens), document)
	p.Ints(gpt2.Lengths)[0] = int32(len(document))
	if err := p.Run(); err != nil {
		t.Fatal(err)
	}
	return slices.Clone(p.Floats(gpt2.Logits))
}

func TestClassify(t *testing.T) {
	m := over(t, open(t, cpu.Options{Threads: 2}), tiny(20, "a", "b", "c"), nil)
	texts := []string{"a short one", strings.Repeat("long ", 10), "", strings.Repeat("x", 20)}
	got, err := m.Classify(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		tokens    int
		truncated bool
	}{{11, false}, {20, true}, {1, false}, {20, false}} {
		if got[i].Tokens != want.tokens || got[i].Truncated != want.truncated {
			t.Errorf("%q: %d tokens, truncated %v; want %d, %v", texts[i], got[i].Tokens, got[i].Truncated, want.tokens, want.truncated)
		}
		sum := 0.0
		for _, s := range got[i].Scores {
			sum += float64(s)
		}
		if math.Abs(sum-1) > 1e-6 || got[i].Scores[got[i].Best()] != slices.Max(got[i].Scores) {
			t.Errorf("%q: scores %v, best %d", texts[i], got[i].Scores, got[i].Best())
		}
	}
	if beginning, err := m.Classify(t.Context(), []string{texts[1][:20]}); err != nil || !slices.Equal(beginning[0].Logits, got[1].Logits) {
		t.Errorf("the beginning of a long text scores %v, the text %v; %v", beginning, got[1], err)
	}
	if _, err := m.ClassifyTokens(t.Context(), [][]int32{{1}, {}}); err == nil || !strings.Contains(err.Error(), "document 1") {
		t.Errorf("a document without tokens: %v", err)
	}
	if none, err := m.Classify(t.Context(), nil); err != nil || len(none) != 0 {
		t.Errorf("no texts: %v, %v", none, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Classify(ended, texts); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
}

func TestScores(t *testing.T) {
	for _, c := range []struct {
		problem      model.Problem
		logits, want []float32
	}{
		{model.SingleLabel, []float32{0, 0}, []float32{0.5, 0.5}},
		{model.SingleLabel, []float32{1000, 1000 - float32(math.Log(3)), -1000}, []float32{0.75, 0.25, 0}},
		{model.MultiLabel, []float32{0, float32(math.Log(3)), 1000, -1000}, []float32{0.5, 0.75, 1, 0}},
	} {
		for i, got := range Scores(c.logits, c.problem) {
			if math.Abs(float64(got-c.want[i])) > 1e-4 {
				t.Errorf("%v of %v: %v, want %v", c.problem, c.logits, got, c.want)
			}
		}
	}
}

func TestMixUpsAreRefused(t *testing.T) {
	d := open(t, cpu.Options{Threads: 1})
	for what, err := range map[string]error{
		"language model": second(over(t, d, tiny(16), nil).Classify(t.Context(), []string{"text"})),
		"classifier":     second(over(t, d, tiny(16, "a", "b"), nil).Generate(t.Context(), "text", Sampling{MaxTokens: 1}, nil)),
	} {
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v, want an error that says so", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestDamagedWeightsAreNoticed: a NaN anywhere is an error, not a score and not a text.
func TestDamagedWeightsAreNoticed(t *testing.T) {
	d := open(t, cpu.Options{Threads: 1})
	for _, value := range []float64{math.NaN(), math.Inf(1)} {
		spoil := func(name string, values []float32) {
			if name == "transformer.ln_f.bias" {
				values[3] = float32(value)
			}
		}
		_, err := over(t, d, tiny(16, "a", "b"), spoil).Classify(t.Context(), []string{"text"})
		if err == nil || !strings.Contains(err.Error(), "finite") || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("a classifier with a weight of %g: %v", value, err)
		}
		for _, temperature := range []float64{0, 1} {
			_, err = over(t, d, tiny(16), spoil).Generate(t.Context(), "text", Sampling{MaxTokens: 2, Temperature: temperature}, func([]byte) error { return nil })
			if err == nil || !strings.Contains(err.Error(), "finite") || !strings.Contains(err.Error(), "damaged") {
				t.Errorf("a language model with a weight of %g at temperature %g: %v", value, temperature, err)
			}
		}
	}
}

// TestLoad writes a model directory and reads it: the same scores, and an error that names the file where it is damaged.
func TestLoad(t *testing.T) {
	d := open(t, cpu.Options{Threads: 1})
	c := tiny(16, "ham", "spam")
	m := over(t, d, c, nil)
	dir := filepath.Join(t.TempDir(), "model")
	tokenizer, err := bpe.Bytes().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	snapshot := checkpoint.Snapshot{Config: c, Files: map[string][]byte{"tokenizer.json": tokenizer}}
	for _, p := range c.Params() {
		snapshot.Weights = append(snapshot.Weights, checkpoint.Float32(p.Name, p.Shape, m.store.View(engine.Weights, p.Name)))
	}
	if err := checkpoint.Export(dir, snapshot); err != nil {
		t.Fatal(err)
	}
	for _, mapped := range []bool{false, true} {
		loaded, err := Load(dir, d, Options{Mapped: mapped})
		if err != nil {
			t.Fatal(err)
		}
		if (loaded.file != nil) != mapped {
			t.Errorf("mapped %v: the weights lie in %v", mapped, loaded.file)
		}
		want, errW := m.Classify(t.Context(), []string{"some text"})
		got, errG := loaded.Classify(t.Context(), []string{"some text"})
		if err := errors.Join(errW, errG); err != nil || fmt.Sprint(got) != fmt.Sprint(want) || !slices.Equal(loaded.Labels(), c.Labels) {
			t.Errorf("mapped %v: loaded %v %v, want %v %v; %v", mapped, loaded.Labels(), got, c.Labels, want, err)
		}
		if loaded.Bytes() <= loaded.store.Bytes() {
			t.Error("the memory of programs is not counted")
		}
		loaded.Close()
	}
	if snapshot.Files["tokenizer.json"], err = bpe.GPT2().MarshalJSON(); err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(t.TempDir(), "mismatch")
	if err := checkpoint.Export(dir, snapshot); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir, d, Options{}); err == nil || !strings.Contains(err.Error(), "50257") || !strings.Contains(err.Error(), "tokenizer") {
		t.Errorf("a tokenizer larger than the model: %v", err)
	}
}

// TestProgramsAreKept: a shape is compiled once, and the one used last is the last to go.
func TestProgramsAreKept(t *testing.T) {
	m := over(t, open(t, cpu.Options{Threads: 1}), tiny(40, "a", "b"), nil)
	first, err := m.program(2, 16)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.program(1, 16); err != nil {
		t.Fatal(err)
	}
	again, err := m.program(2, 16)
	if err != nil || again != first || len(m.programs) != 2 || m.programs[1].program != first {
		t.Errorf("the program was compiled again, or is not the newest of %d; %v", len(m.programs), err)
	}
}
