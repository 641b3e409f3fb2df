package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"atoll/engine/ir"
	"atoll/kernels"
)

// Graph is a gorgonia graph with its ends named: what a model hands to the compiler.
type Graph struct {
	Expr    *gorgonia.ExprGraph
	Inputs  map[string]*gorgonia.Node // written by the host before each run
	Params  map[string]*gorgonia.Node // weights, by the names of model.Param
	States  map[string]*gorgonia.Node // kept on the device between runs, such as caches
	Outputs map[string]*gorgonia.Node // read by the host after a run
	Loss    *gorgonia.Node            // nil for a graph without one; it is an output called "loss", its rows one called "rows"
	Grads   map[string]*gorgonia.Node // by parameter; filled by Differentiate
	Blocks  []*gorgonia.Node          // what goes into each transformer block, and what comes out of the last
}

// NewGraph gives an empty graph.
func NewGraph() *Graph {
	return &Graph{Expr: gorgonia.NewGraph(), Inputs: map[string]*gorgonia.Node{}, Params: map[string]*gorgonia.Node{},
		States: map[string]*gorgonia.Node{}, Outputs: map[string]*gorgonia.Node{}, Grads: map[string]*gorgonia.Node{}}
}

// Input adds an input of the given element type.
func (g *Graph) Input(name string, dtype kernels.DType, shape ...int) *gorgonia.Node {
	return g.leaf(g.Inputs, name, dtype, shape)
}

// Step is the input with the numbers that change from step to step.
func (g *Graph) Step() *gorgonia.Node {
	if n, ok := g.Inputs[ir.StepInput]; ok {
		return n
	}
	return g.Input(ir.StepInput, kernels.F32, kernels.StepSize)
}

// Seed is the input with the random key of dropout.
func (g *Graph) Seed() *gorgonia.Node {
	if n, ok := g.Inputs[ir.SeedInput]; ok {
		return n
	}
	return g.Input(ir.SeedInput, kernels.I32, 2)
}

// Param adds a weight.
func (g *Graph) Param(name string, shape ...int) *gorgonia.Node {
	return g.leaf(g.Params, name, kernels.F32, shape)
}

// State adds memory that the device keeps between runs.
func (g *Graph) State(name string, shape ...int) *gorgonia.Node {
	return g.leaf(g.States, name, kernels.F32, shape)
}

func (g *Graph) leaf(kind map[string]*gorgonia.Node, name string, dtype kernels.DType, shape []int) *gorgonia.Node {
	of := tensor.Float32
	if dtype == kernels.I32 {
		of = tensor.Int32
	}
	n := gorgonia.NewTensor(g.Expr, of, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name))
	kind[name] = n
	return n
}

// Differentiate adds the backward graph of the loss for the named parameters.
func (g *Graph) Differentiate(params ...string) error {
	if g.Loss == nil {
		return fmt.Errorf("differentiate: the graph has no loss")
	}
	nodes := make(gorgonia.Nodes, len(params))
	for i, name := range params {
		n, ok := g.Params[name]
		if !ok {
			return fmt.Errorf("differentiate: the graph has no parameter %q", name)
		}
		nodes[i] = n
	}
	grads, err := gorgonia.Grad(g.Loss, nodes...)
	if err != nil {
		return fmt.Errorf("differentiate: %w", err)
	}
	for i, name := range params {
		g.Grads[name] = grads[i]
	}
	return nil
}
