package op_test

import (
	"strings"
	"testing"

	"gorgonia.org/gorgonia"

	"atoll/engine/op"
	"atoll/kernels"
)

// shaper makes leaves of given shapes in one graph.
type shaper struct{ *op.Graph }

func (s shaper) f(shape ...int) *gorgonia.Node { return s.Input("f", kernels.F32, shape...) }
func (s shaper) i(shape ...int) *gorgonia.Node { return s.Input("i", kernels.I32, shape...) }

// shapeErrors are mistakes in shapes, each with the words that its error must have: the op, what was got, what was wanted.
var shapeErrors = []struct {
	name  string
	build func(s shaper) (*gorgonia.Node, error)
	want  []string
}{
	{"embed: tokens without a batch", func(s shaper) (*gorgonia.Node, error) { return op.Embed(s.i(3), s.f(5, 4), s.f(8, 4), nil) },
		[]string{"embed", "tokens", "(3)", "matrix"}},
	{"embed: widths", func(s shaper) (*gorgonia.Node, error) { return op.Embed(s.i(2, 3), s.f(5, 4), s.f(8, 6), nil) },
		[]string{"embed", "(5, 4)", "(8, 6)", "same width"}},
	{"embed: longer than the model", func(s shaper) (*gorgonia.Node, error) { return op.Embed(s.i(2, 9), s.f(5, 4), s.f(8, 4), nil) },
		[]string{"embed", "9 tokens", "8 positions", "--seq"}},
	{"embed: start", func(s shaper) (*gorgonia.Node, error) { return op.Embed(s.i(2, 3), s.f(5, 4), s.f(8, 4), s.i(2)) },
		[]string{"embed", "start", "(2)", "(1)"}},
	{"layernorm: a vector", func(s shaper) (*gorgonia.Node, error) { return op.LayerNorm(s.f(4), s.f(4), s.f(4), 1e-5) },
		[]string{"layernorm", "x", "(4)", "matrix"}},
	{"layernorm: gain", func(s shaper) (*gorgonia.Node, error) { return op.LayerNorm(s.f(2, 4), s.f(5), s.f(4), 1e-5) },
		[]string{"layernorm", "gain", "(5)", "(4)"}},
	{"layernorm: bias", func(s shaper) (*gorgonia.Node, error) { return op.LayerNorm(s.f(2, 4), s.f(4), s.f(3), 1e-5) },
		[]string{"layernorm", "bias", "(3)", "(4)"}},
	{"linear: inner width", func(s shaper) (*gorgonia.Node, error) {
		return op.Linear(s.f(2, 4), s.f(5, 6), nil, false, op.Identity)
	}, []string{"linear", "(2, 4)", "(5, 6)", "width 4"}},
	{"linear: inner width, transposed", func(s shaper) (*gorgonia.Node, error) {
		return op.Linear(s.f(2, 4), s.f(4, 6), nil, true, op.Identity)
	}, []string{"linear", "(4, 6)", "transposed true", "width 4"}},
	{"linear: bias", func(s shaper) (*gorgonia.Node, error) {
		return op.Linear(s.f(2, 4), s.f(4, 6), s.f(4), false, op.Identity)
	}, []string{"linear", "bias", "(4)", "(6)"}},
	{"attention: rows", func(s shaper) (*gorgonia.Node, error) {
		return op.Attention(s.f(7, 12), op.AttentionSpec{Batch: 2, Sequence: 3, Heads: 2})
	}, []string{"attention", "7 rows", "batch 2 times sequence 3"}},
	{"attention: heads", func(s shaper) (*gorgonia.Node, error) {
		return op.Attention(s.f(6, 15), op.AttentionSpec{Batch: 2, Sequence: 3, Heads: 2})
	}, []string{"attention", "15 wide", "2 heads"}},
	{"attention: lengths", func(s shaper) (*gorgonia.Node, error) {
		return op.Attention(s.f(6, 12), op.AttentionSpec{Batch: 2, Sequence: 3, Heads: 2, Lengths: s.i(3)})
	}, []string{"attention", "lengths", "(3)", "(2)"}},
	{"attention: seed absent", func(s shaper) (*gorgonia.Node, error) {
		return op.Attention(s.f(6, 12), op.AttentionSpec{Batch: 2, Sequence: 3, Heads: 2, Dropout: 0.1})
	}, []string{"attention", "0.1", "seed"}},
	{"attention: seed", func(s shaper) (*gorgonia.Node, error) {
		return op.Attention(s.f(6, 12), op.AttentionSpec{Batch: 2, Sequence: 3, Heads: 2, Dropout: 0.1, Seed: s.i(3)})
	}, []string{"attention", "seed", "(3)", "(2)"}},
	{"attention: dropout of everything", func(s shaper) (*gorgonia.Node, error) {
		return op.Attention(s.f(6, 12), op.AttentionSpec{Batch: 2, Sequence: 3, Heads: 2, Dropout: 1, Seed: s.i(2)})
	}, []string{"attention", "1", "below 1"}},
	{"attention.cached: a vector", func(s shaper) (*gorgonia.Node, error) {
		return op.CachedAttention(s.f(12), s.f(8, 4), s.f(8, 4), s.i(1), 1, 2)
	}, []string{"attention.cached", "qkv", "(12)", "matrix"}},
	{"attention.cached: rows", func(s shaper) (*gorgonia.Node, error) {
		return op.CachedAttention(s.f(3, 12), s.f(8, 4), s.f(8, 4), s.i(1), 2, 2)
	}, []string{"attention.cached", "(3, 12)", "multiple of 2 rows"}},
	{"attention.cached: caches", func(s shaper) (*gorgonia.Node, error) {
		return op.CachedAttention(s.f(2, 12), s.f(8, 4), s.f(8, 5), s.i(1), 1, 2)
	}, []string{"attention.cached", "(8, 4)", "(8, 5)"}},
	{"attention.cached: start", func(s shaper) (*gorgonia.Node, error) {
		return op.CachedAttention(s.f(2, 12), s.f(8, 4), s.f(8, 4), s.i(2), 1, 2)
	}, []string{"attention.cached", "start", "(2)", "(1)"}},
	{"residual", func(s shaper) (*gorgonia.Node, error) { return op.Residual(s.f(2, 4), s.f(2, 5)) },
		[]string{"residual", "(2, 5)", "(2, 4)"}},
	{"dropout: probability", func(s shaper) (*gorgonia.Node, error) { return op.Dropout(s.f(2, 4), s.i(2), 1, 1) },
		[]string{"dropout", "1", "below 1"}},
	{"dropout: a vector", func(s shaper) (*gorgonia.Node, error) { return op.Dropout(s.f(4), s.i(2), 0.5, 1) },
		[]string{"dropout", "x", "(4)", "matrix"}},
	{"dropout: seed", func(s shaper) (*gorgonia.Node, error) { return op.Dropout(s.f(2, 4), s.i(1), 0.5, 1) },
		[]string{"dropout", "seed", "(1)", "(2)"}},
	{"head.loss: widths", func(s shaper) (*gorgonia.Node, error) { return op.HeadLoss(s.f(6, 4), s.f(5, 3), s.i(2, 3), s.f(8)) },
		[]string{"head.loss", "(6, 4)", "(5, 3)", "same width"}},
	{"head.loss: targets", func(s shaper) (*gorgonia.Node, error) { return op.HeadLoss(s.f(6, 4), s.f(5, 4), s.i(2, 2), s.f(8)) },
		[]string{"head.loss", "(2, 2)", "6 rows"}},
	{"head.loss: step", func(s shaper) (*gorgonia.Node, error) { return op.HeadLoss(s.f(6, 4), s.f(5, 4), s.i(2, 3), s.f(7)) },
		[]string{"head.loss", "step", "(7)", "(8)"}},
	{"class.loss: labels", func(s shaper) (*gorgonia.Node, error) { return op.ClassLoss(s.f(4, 3), s.i(3), nil, s.f(8)) },
		[]string{"class.loss", "labels", "(3)", "(4)"}},
	{"class.loss: weights", func(s shaper) (*gorgonia.Node, error) { return op.ClassLoss(s.f(4, 3), s.i(4), s.f(4), s.f(8)) },
		[]string{"class.loss", "weights", "(4)", "(3)"}},
	{"binary.loss: labels", func(s shaper) (*gorgonia.Node, error) { return op.BinaryLoss(s.f(4, 3), s.f(4, 2), nil, s.f(8)) },
		[]string{"binary.loss", "labels", "(4, 2)", "(4, 3)"}},
	{"pool", func(s shaper) (*gorgonia.Node, error) { return op.Pool(s.f(7, 4), s.i(2)) },
		[]string{"pool", "7 rows", "(2)"}},
}

func TestShapeErrors(t *testing.T) {
	for _, c := range shapeErrors {
		n, err := c.build(shaper{op.NewGraph()})
		if err == nil {
			t.Errorf("%s: built %v, want an error", c.name, n.Shape())
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v; want it to say %q", c.name, err, w)
			}
		}
	}
}

// TestDifferentiateErrors: what cannot be differentiated is named.
func TestDifferentiateErrors(t *testing.T) {
	g := op.NewGraph()
	qkv, cache, start := g.Param("qkv", 2, 12), g.State("keys", 8, 4), g.Input("start", kernels.I32, 1)
	if err := g.Differentiate("qkv"); err == nil || !strings.Contains(err.Error(), "no loss") {
		t.Errorf("without a loss: %v", err)
	}
	out, err := op.CachedAttention(qkv, cache, cache, start, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	g.Loss = gorgonia.Must(gorgonia.Sum(out))
	if err := g.Differentiate("absent"); err == nil || !strings.Contains(err.Error(), `"absent"`) {
		t.Errorf("an absent parameter: %v", err)
	}
	if err := g.Differentiate("qkv"); err == nil {
		t.Error("cached attention was differentiated, and it has no gradient")
	}
	s := shaper{op.NewGraph()}
	wte := s.Param("wte", 5, 4)
	s.Loss = gorgonia.Must(gorgonia.Sum(gorgonia.Must(op.Embed(s.i(2, 3), wte, s.f(8, 4), s.i(1)))))
	if err := s.Differentiate("wte"); err == nil || !strings.Contains(err.Error(), "start") {
		t.Errorf("an embedding from a start on: %v, want an error", err)
	}
}
