package model

import (
	"fmt"
	"math"
	"sort"
)

// Init says how a parameter starts: normally distributed around Mean with standard deviation Std.
// A Std of 0 means the constant Mean.
type Init struct{ Mean, Std float32 }

// Param is one trained tensor.
type Param struct {
	Name  string // as in Hugging Face: "transformer.h.0.attn.c_attn.weight"
	Shape []int  // row-major; the blocks' weights are [in, out] (Hugging Face Conv1D), score.weight is [labels, width]
	Decay bool   // whether weight decay applies: true for rank 2
	Init  Init
}

// Len returns the number of elements of p.
func (p Param) Len() int {
	n := 1
	for _, d := range p.Shape {
		n *= d
	}
	return n
}

// Params returns the parameters of c: transformer.*, and score.weight where there are labels. The language head is tied
// to transformer.wte.weight and has no parameter of its own. Those with weight decay come first, in model order, then
// the others in model order, so that an optimiser updates two contiguous ranges.
//
// The initial values are GPT-2's: weights and embeddings normal(0, InitRange); projections into the residual stream
// (c_proj) divided by sqrt(2*Layers), since 2*Layers of them are summed; biases 0; layer norms 1 and 0.
func (c Config) Params() []Param {
	weight := Init{Std: c.InitRange}
	residual := Init{Std: float32(float64(c.InitRange) / math.Sqrt(2*float64(c.Layers)))}
	var params []Param
	add := func(name string, init Init, shape ...int) {
		params = append(params, Param{Name: name, Shape: shape, Decay: len(shape) >= 2, Init: init})
	}
	norm := func(name string) {
		add(name+".weight", Init{Mean: 1}, c.Width)
		add(name+".bias", Init{}, c.Width)
	}
	linear := func(name string, init Init, in, out int) {
		add(name+".weight", init, in, out)
		add(name+".bias", Init{}, out)
	}
	add("transformer.wte.weight", weight, c.Vocab, c.Width)
	add("transformer.wpe.weight", weight, c.Positions, c.Width)
	for l := range c.Layers {
		block := fmt.Sprintf("transformer.h.%d.", l)
		norm(block + "ln_1")
		linear(block+"attn.c_attn", weight, c.Width, 3*c.Width)
		linear(block+"attn.c_proj", residual, c.Width, c.Width)
		norm(block + "ln_2")
		linear(block+"mlp.c_fc", weight, c.Width, c.Inner)
		linear(block+"mlp.c_proj", residual, c.Inner, c.Width)
	}
	norm("transformer.ln_f")
	if len(c.Labels) > 0 {
		add("score.weight", weight, len(c.Labels), c.Width)
	}
	sort.SliceStable(params, func(i, j int) bool { return params[i].Decay && !params[j].Decay })
	return params
}

// ParamCount returns the number of trained values: the sum of the lengths of Params.
func (c Config) ParamCount() int {
	total := 0
	for _, p := range c.Params() {
		total += p.Len()
	}
	return total
}
