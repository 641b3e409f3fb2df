package op_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"atoll/engine/op"
	"atoll/kernels"
)

// graphCase is a small graph around one op: its fp32 leaves by shape, its integer leaves by value.
type graphCase struct {
	name   string
	floats map[string][]int
	ints   map[string][]int32
	build  func(leaf map[string]*gorgonia.Node) (*gorgonia.Node, error)
	wrt    []string
}

type leaves = map[string]*gorgonia.Node

// gradientCases are all ops that have a gradient, with each of their options.
var gradientCases = []graphCase{
	{"embed", map[string][]int{"wte": {5, 4}, "wpe": {4, 4}}, map[string][]int32{"tokens": {0, 4, 2, 2, 1, 2}},
		func(l leaves) (*gorgonia.Node, error) { return op.Embed(l["tokens"], l["wte"], l["wpe"], nil) }, []string{"wte", "wpe"}},
	{"layernorm", map[string][]int{"x": {3, 5}, "g": {5}, "b": {5}}, nil,
		func(l leaves) (*gorgonia.Node, error) { return op.LayerNorm(l["x"], l["g"], l["b"], 1e-5) }, []string{"x", "g", "b"}},
	{"linear", map[string][]int{"x": {3, 4}, "w": {4, 5}, "b": {5}}, nil,
		func(l leaves) (*gorgonia.Node, error) { return op.Linear(l["x"], l["w"], l["b"], false, op.Identity) }, []string{"x", "w", "b"}},
	{"linear, transposed, without bias", map[string][]int{"x": {3, 4}, "w": {5, 4}}, nil,
		func(l leaves) (*gorgonia.Node, error) { return op.Linear(l["x"], l["w"], nil, true, op.Identity) }, []string{"x", "w"}},
	{"linear with GELU", map[string][]int{"x": {3, 4}, "w": {4, 5}, "b": {5}}, nil,
		func(l leaves) (*gorgonia.Node, error) { return op.Linear(l["x"], l["w"], l["b"], false, op.GELU) }, []string{"x", "w", "b"}},
	{"attention", map[string][]int{"qkv": {6, 12}}, nil,
		func(l leaves) (*gorgonia.Node, error) {
			return op.Attention(l["qkv"], op.AttentionSpec{Batch: 2, Sequence: 3, Heads: 2})
		}, []string{"qkv"}},
	{"attention with lengths and dropout", map[string][]int{"qkv": {6, 12}}, map[string][]int32{"lengths": {3, 2}, "seed": {3, 4}},
		func(l leaves) (*gorgonia.Node, error) {
			return op.Attention(l["qkv"], op.AttentionSpec{Batch: 2, Sequence: 3, Heads: 2, Lengths: l["lengths"], Dropout: 0.4, Seed: l["seed"], Salt: 2})
		}, []string{"qkv"}},
	{"residual", map[string][]int{"a": {3, 4}, "b": {3, 4}}, nil,
		func(l leaves) (*gorgonia.Node, error) { return op.Residual(l["a"], l["b"]) }, []string{"a", "b"}},
	{"dropout", map[string][]int{"x": {5, 6}}, map[string][]int32{"seed": {3, 4}},
		func(l leaves) (*gorgonia.Node, error) { return op.Dropout(l["x"], l["seed"], 0.5, 3) }, []string{"x"}},
	{"pool", map[string][]int{"x": {6, 4}}, map[string][]int32{"lengths": {2, 3}},
		func(l leaves) (*gorgonia.Node, error) { return op.Pool(l["x"], l["lengths"]) }, []string{"x"}},
	{"head.loss", map[string][]int{"h": {6, 4}, "wte": {5, 4}, "step": {kernels.StepSize}}, map[string][]int32{"targets": {0, 4, -1, 2, 2, 1}},
		func(l leaves) (*gorgonia.Node, error) { return op.HeadLoss(l["h"], l["wte"], l["targets"], l["step"]) }, []string{"h", "wte"}},
	{"class.loss", map[string][]int{"logits": {4, 3}, "step": {kernels.StepSize}}, map[string][]int32{"labels": {0, 2, -1, 1}},
		func(l leaves) (*gorgonia.Node, error) { return op.ClassLoss(l["logits"], l["labels"], nil, l["step"]) }, []string{"logits"}},
	{"class.loss with weights", map[string][]int{"logits": {4, 3}, "weights": {3}, "step": {kernels.StepSize}}, map[string][]int32{"labels": {0, 2, -1, 1}},
		func(l leaves) (*gorgonia.Node, error) {
			return op.ClassLoss(l["logits"], l["labels"], l["weights"], l["step"])
		}, []string{"logits"}},
	{"binary.loss with weights", map[string][]int{"logits": {2, 3}, "labels": {2, 3}, "weights": {3}, "step": {kernels.StepSize}}, nil,
		func(l leaves) (*gorgonia.Node, error) {
			return op.BinaryLoss(l["logits"], l["labels"], l["weights"], l["step"])
		}, []string{"logits"}},
}

// integerShapes are the shapes of integer leaves, where they are no vectors.
var integerShapes = map[string][]int{"tokens": {2, 3}, "targets": {2, 3}}

func (c graphCase) leaves(g *op.Graph) leaves {
	all := leaves{}
	for name, shape := range c.floats {
		all[name] = g.Param(name, shape...)
	}
	for name, values := range c.ints {
		shape := integerShapes[name]
		if shape == nil {
			shape = []int{len(values)}
		}
		all[name] = g.Input(name, kernels.I32, shape...)
	}
	return all
}

// values are the fp32 leaves' contents: positive where they are weights or labels, the loss scale where they are a step.
func (c graphCase) values() map[string][]float32 {
	random := rand.New(rand.NewPCG(7, 8))
	all := map[string][]float32{}
	for _, name := range []string{"a", "b", "g", "h", "labels", "logits", "qkv", "step", "w", "weights", "wpe", "wte", "x"} {
		shape, ok := c.floats[name]
		if !ok {
			continue
		}
		v := make([]float32, tensor.Shape(shape).TotalSize())
		for i := range v {
			switch v[i] = float32(random.NormFloat64()); name {
			case "labels":
				v[i] = float32(random.IntN(2))
			case "weights":
				v[i] = v[i]*v[i] + 0.5
			}
		}
		all[name] = v
	}
	if step := all["step"]; step != nil {
		clear(step)
		step[kernels.StepLossScale] = 0.7
	}
	return all
}

// TestGradientsAgainstFiniteDifferences differentiates each op through gorgonia and holds every gradient against
// (f(x+e) - f(x-e)) / 2e, where f is the op's result, weighted at random and summed by gorgonia's own ops.
func TestGradientsAgainstFiniteDifferences(t *testing.T) {
	const step = 1e-2
	for _, c := range gradientCases {
		values := c.values()
		_, grads := c.evaluate(t, values, true)
		for _, name := range c.wrt {
			want := make([]float32, len(values[name]))
			for i, x := range values[name] {
				values[name][i] = x + step
				above, _ := c.evaluate(t, values, false)
				values[name][i] = x - step
				below, _ := c.evaluate(t, values, false)
				values[name][i] = x
				want[i] = float32((above - below) / (2 * step))
			}
			compare(t, c.name+", gradient of "+name, grads[name], want, 2e-3)
		}
	}
}

// evaluate runs the case on gorgonia's machine and gives its scalar, and its gradients where they are wanted.
func (c graphCase) evaluate(t *testing.T, values map[string][]float32, backward bool) (float64, map[string][]float32) {
	t.Helper()
	g := op.NewGraph()
	all := c.leaves(g)
	y, err := c.build(all)
	if err != nil {
		t.Fatalf("%s: %v", c.name, err)
	}
	for name, v := range values {
		let(t, all[name], v)
	}
	for name, v := range c.ints {
		let(t, all[name], v)
	}
	g.Loss = y
	if !y.IsScalar() {
		mix := gorgonia.NewMatrix(g.Expr, tensor.Float32, gorgonia.WithShape(y.Shape()...), gorgonia.WithName("mix"))
		let(t, mix, mixed(y.Shape().TotalSize()))
		g.Loss = gorgonia.Must(gorgonia.Sum(gorgonia.Must(gorgonia.HadamardProd(y, mix))))
	}
	var result gorgonia.Value
	gorgonia.Read(g.Loss, &result)
	read := make([]gorgonia.Value, len(c.wrt))
	if backward {
		if err := g.Differentiate(c.wrt...); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		for i, name := range c.wrt {
			gorgonia.Read(g.Grads[name], &read[i])
		}
	}
	machine := gorgonia.NewTapeMachine(g.Expr)
	defer machine.Close()
	if err := machine.RunAll(); err != nil {
		t.Fatalf("%s: %v", c.name, err)
	}
	grads := map[string][]float32{}
	if backward {
		for i, name := range c.wrt {
			grads[name] = read[i].Data().([]float32)
		}
	}
	return float64(result.Data().(float32)), grads
}

func mixed(n int) []float32 {
	random := rand.New(rand.NewPCG(5, 6))
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(random.NormFloat64())
	}
	return v
}

func let(t *testing.T, n *gorgonia.Node, backing any) {
	t.Helper()
	if err := gorgonia.Let(n, tensor.New(tensor.WithShape(n.Shape()...), tensor.WithBacking(backing))); err != nil {
		t.Fatalf("%v: %v", n, err)
	}
}

// compare fails where got is further from want than tolerance times the largest magnitude of want.
func compare(t *testing.T, name string, got, want []float32, tolerance float64) {
	t.Helper()
	largest := 0.0
	for _, w := range want {
		largest = max(largest, math.Abs(float64(w)))
	}
	if largest == 0 || len(got) != len(want) {
		t.Errorf("%s: %d elements, want %d, the largest %g", name, len(got), len(want), largest)
		return
	}
	for i := range got {
		if e := math.Abs(float64(got[i]-want[i])) / largest; !(e <= tolerance) {
			t.Errorf("%s[%d]: got %g, want %g", name, i, got[i], want[i])
		}
	}
}
