// Package lower compiles a gorgonia graph to the flat list of package ir, and holds the passes over that list.
//
// Graph walks what the graph's outputs, loss and gradients need, in the order in which the nodes were made, and lets each
// op add its instructions. Passes are pure functions from list to list: Fuse, DropDead, Narrow, Recompute. An op that cannot be
// lowered is an error that names it. No device is known here.
package lower

import (
	"fmt"
	"maps"
	"slices"

	"gonum.org/v1/gonum/graph"
	"gorgonia.org/gorgonia"

	"atoll/engine/ir"
	"atoll/engine/op"
	"atoll/kernels"
)

// Rows is the output that every graph with a loss has: the unscaled loss of each row.
const Rows = "rows"

// Graph gives the list of g as its ops make it, before any pass but with dead code removed.
func Graph(g *op.Graph) (ir.Program, error) {
	l := lowering{b: ir.NewBuilder(), values: map[int64]ir.ID{}}
	for _, leaves := range []struct {
		kind   ir.Kind
		byName map[string]*gorgonia.Node
	}{{ir.Input, g.Inputs}, {ir.Param, g.Params}, {ir.State, g.States}} {
		for _, name := range slices.Sorted(maps.Keys(leaves.byName)) {
			l.leaf(leaves.kind, name, leaves.byName[name])
		}
	}
	for _, n := range needed(g) {
		if err := l.node(g, n); err != nil {
			return ir.Program{}, err
		}
	}
	p, err := l.b.Program()
	if err != nil {
		return ir.Program{}, err
	}
	if err := l.bind(&p, g); err != nil {
		return ir.Program{}, err
	}
	return DropDead(p), nil
}

type lowering struct {
	b      *ir.Builder
	values map[int64]ir.ID // by node
}

func (l *lowering) leaf(kind ir.Kind, name string, n *gorgonia.Node) {
	dtype := kernels.F32
	if n.Dtype().String() == "int32" {
		dtype = kernels.I32
	}
	l.values[n.ID()] = l.b.Named(ir.Value{Name: name, Kind: kind, DType: dtype, Shape: n.Shape().Clone()})
}

// needed are the nodes that the graph's ends depend on, in the order in which they were made. gorgonia numbers nodes as
// it makes them, operands before results and gradients from the last layer to the first: running them in this order lets
// a gradient die soon after it was made.
func needed(g *op.Graph) []*gorgonia.Node {
	seen := map[int64]*gorgonia.Node{}
	var visit func(n *gorgonia.Node)
	visit = func(n *gorgonia.Node) {
		if seen[n.ID()] != nil {
			return
		}
		seen[n.ID()] = n
		for _, c := range operands(g, n) {
			visit(c)
		}
	}
	if g.Loss != nil {
		visit(g.Loss)
	}
	for _, ends := range []map[string]*gorgonia.Node{g.Outputs, g.Grads} {
		for _, n := range ends {
			visit(n)
		}
	}
	nodes := make([]*gorgonia.Node, 0, len(seen))
	for _, id := range slices.Sorted(maps.Keys(seen)) {
		nodes = append(nodes, seen[id])
	}
	return nodes
}

func operands(g *op.Graph, n *gorgonia.Node) []*gorgonia.Node {
	var nodes []*gorgonia.Node
	for it := g.Expr.From(n.ID()); it.Next(); {
		nodes = append(nodes, graph.Node(it.Node()).(*gorgonia.Node))
	}
	return nodes
}

func (l *lowering) node(g *op.Graph, n *gorgonia.Node) error {
	if _, done := l.values[n.ID()]; done {
		return nil
	}
	var in []ir.ID
	for _, c := range operands(g, n) {
		in = append(in, l.values[c.ID()])
	}
	var out ir.ID
	var err error
	switch o := n.Op().(type) {
	case op.Rule:
		out, err = o.Lower(l.b, in)
	default:
		out, err = l.stock(n, in)
	}
	if err != nil {
		return fmt.Errorf("lower node %d, %v %v: %w", n.ID(), n.Op(), n.Shape(), err)
	}
	l.values[n.ID()] = out
	return nil
}

// stock lowers the nodes that gorgonia.Grad makes by itself: the gradient 1 of the loss, which the loss kernels know, and
// sums of gradients.
func (l *lowering) stock(n *gorgonia.Node, in []ir.ID) (ir.ID, error) {
	if len(in) == 0 && n.Value() != nil {
		if one, ok := n.Value().Data().(float32); ok && one == 1 {
			return ir.None, nil
		}
		return ir.None, fmt.Errorf("a constant other than 1: the loss must be the graph's last op")
	}
	if n.Op() != nil && n.Op().String() == "+ false" && len(in) == 2 {
		return op.LowerSum(l.b, in[0], in[1])
	}
	return ir.None, fmt.Errorf("not an op that atoll compiles: build it from package engine/op")
}

// bind names the ends of the graph, and lets the first part of each gradient overwrite what an earlier step left.
func (l *lowering) bind(p *ir.Program, g *op.Graph) error {
	if g.Loss != nil {
		loss := l.values[g.Loss.ID()]
		name(p, loss, ir.Output, ir.Loss)
		name(p, l.b.Recall(loss, op.RowsOutput), ir.Output, Rows)
		for n, block := range g.Blocks {
			name(p, l.values[block.ID()], ir.Temp, fmt.Sprint(ir.BlockPrefix, n))
		}
		if err := byStep(p, loss); err != nil {
			return err
		}
	}
	for _, n := range slices.Sorted(maps.Keys(g.Outputs)) {
		name(p, l.values[g.Outputs[n].ID()], ir.Output, n)
	}
	for _, n := range slices.Sorted(maps.Keys(g.Grads)) {
		v := l.values[g.Grads[n].ID()]
		name(p, v, ir.Grad, ir.GradPrefix+n)
		if err := byStep(p, v); err != nil {
			return err
		}
	}
	return nil
}

func name(p *ir.Program, v ir.ID, kind ir.Kind, text string) {
	p.Values[v].Kind, p.Values[v].Name = kind, text
}

// byStep sets the mode of the first instruction that writes v.
func byStep(p *ir.Program, v ir.ID) error {
	for n := range p.Instrs {
		for at, arg := range kernels.SignatureOf(p.Instrs[n].Kernel).Args {
			if p.Instrs[n].Args[at] == v && p.Instrs[n].Writes(at) {
				return p.Instrs[n].SetMode(arg.Name, kernels.ByStep)
			}
		}
	}
	return fmt.Errorf("nothing writes %s", p.Values[v].Name)
}
