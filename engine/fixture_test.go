package engine_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"atoll/engine"
	"atoll/engine/op"
	"atoll/kernels"
	"atoll/kernels/cpu"
	"atoll/model"
	"atoll/model/gpt2"
)

// fixture is a small model with one batch: everything that decides what a program computes.
type fixture struct {
	config model.Config
	spec   gpt2.Spec
	ints   map[string][]int32
	floats map[string][]float32
	scale  float32 // of a row's loss
}

// kinds are the heads of the fixtures.
var kinds = []string{"lm", "classify", "multilabel"}

const batch, sequence = 3, 7

// newFixture makes a model of the given kind. Sizes are odd, so that no tile divides them; one row has a single token.
func newFixture(kind string, dropout float32) fixture {
	f := fixture{config: model.Config{Vocab: 37, Positions: 11, Width: 15, Layers: 2, Heads: 3, Inner: 26, Epsilon: 1e-5,
		InitRange: 0.02, EmbdDropout: dropout, ResidDropout: dropout, AttnDropout: dropout, EndOfText: 0, PadToken: 0},
		ints: map[string][]int32{}, floats: map[string][]float32{}}
	f.spec = gpt2.Spec{Batch: batch, Sequence: sequence, Loss: true, Dropout: dropout > 0}
	random := rand.New(rand.NewPCG(1, 2))
	draw := func(n, below int) []int32 {
		values := make([]int32, n)
		for i := range values {
			values[i] = int32(random.IntN(below))
		}
		return values
	}
	f.ints[gpt2.Tokens] = draw(batch*sequence, f.config.Vocab)
	switch kind {
	case "lm":
		f.ints[gpt2.Targets] = draw(batch*sequence, f.config.Vocab)
		f.ints[gpt2.Targets][3], f.ints[gpt2.Targets][20] = -1, -1
		f.scale = 1 / float32(batch*sequence-2)
	case "classify":
		f.config.Labels, f.config.Problem = []string{"a", "b", "c", "d"}, model.SingleLabel
		f.ints[gpt2.Labels] = []int32{2, 0, 3}
		f.scale = 1 / float32(batch)
	case "multilabel":
		f.config.Labels, f.config.Problem = []string{"a", "b"}, model.MultiLabel
		f.floats[gpt2.Labels] = []float32{1, 0, 1, 1, 0, 0}
		f.scale = 1 / float32(2*batch)
	}
	if kind != "lm" {
		f.spec.ClassWeights = true
		f.floats[gpt2.Weights] = []float32{1, 0.5, 2, 0.75}[:len(f.config.Labels)]
		f.ints[gpt2.Lengths] = []int32{sequence, 4, 1}
	}
	f.spec.Train = names(f.config)
	return f
}

func names(c model.Config) []string {
	var all []string
	for _, p := range c.Params() {
		all = append(all, p.Name)
	}
	return all
}

// weightsOf are values wide enough that an error anywhere shows.
func weightsOf(p model.Param) []float32 {
	random := rand.New(rand.NewPCG(uint64(len(p.Name)), uint64(p.Len())))
	values := make([]float32, p.Len())
	for i := range values {
		values[i] = float32(p.Init.Mean) + 0.3*float32(random.NormFloat64())
	}
	return values
}

func newStore(t *testing.T, d kernels.Device, c model.Config) *engine.Store {
	t.Helper()
	s, err := engine.NewStore(d, c.Params(), func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Free)
	for _, p := range c.Params() {
		if err := s.Write(engine.Weights, p.Name, weightsOf(p)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (f fixture) compile(t *testing.T, s *engine.Store, o engine.Options) *engine.Program {
	t.Helper()
	g, err := gpt2.Build(f.config, f.spec)
	return compile(t, g, err, s, o)
}

// compile gives the program of a graph that was built without an error.
func compile(t *testing.T, g *op.Graph, err error, s *engine.Store, o engine.Options) *engine.Program {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	p, err := engine.Compile(g, s, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Free)
	return p
}

// seed is the key of the fixtures' dropout.
var seed = []int32{17, -4}

func (f fixture) feed(p *engine.Program, s *engine.Store) {
	for name, values := range f.ints {
		copy(p.Ints(name), values)
	}
	for name, values := range f.floats {
		copy(p.Floats(name), values)
	}
	copy(s.Seed(), seed)
	s.Step()[kernels.StepLossScale] = f.scale
}

func gradients(t *testing.T, s *engine.Store, c model.Config) map[string][]float32 {
	t.Helper()
	return tensors(t, s, engine.Grads, c)
}

func tensors(t *testing.T, s *engine.Store, m engine.Memory, c model.Config) map[string][]float32 {
	t.Helper()
	all := map[string][]float32{}
	for _, p := range c.Params() {
		all[p.Name] = make([]float32, p.Len())
		if err := s.Read(m, p.Name, all[p.Name]); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// near fails where got is further from want than tolerance times the largest magnitude of want.
func near(t *testing.T, name string, got, want []float32, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d elements, want %d", name, len(got), len(want))
		return
	}
	largest := 1e-6 // below it, a tensor whose exact value is 0 holds rounding only
	for _, w := range want {
		largest = max(largest, math.Abs(float64(w)))
	}
	for i := range got {
		if e := math.Abs(float64(got[i]) - float64(want[i])); !(e <= tolerance*largest) {
			t.Errorf("%s[%d]: got %g, want %g: off by %.2g of the largest", name, i, got[i], want[i], e/largest)
			return
		}
	}
}

func newCPU(t *testing.T, o cpu.Options) *cpu.Device {
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

func run(t *testing.T, p *engine.Program) {
	t.Helper()
	if err := p.Run(); err != nil {
		t.Fatal(err)
	}
}
