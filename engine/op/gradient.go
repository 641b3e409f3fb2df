package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"atoll/engine/ir"
)

// gradient is the node of one input's gradient. Its operands are the op's inputs, its result and the result's gradient.
// Nodes of the same op share one backward kernel: the first that is lowered emits it, the others find its results.
type gradient struct {
	base
	of  differentiable
	wrt int
}

// gradients makes the nodes for the inputs marked in wrt; the others get nil, as gorgonia wants.
func gradients(of differentiable, wrt []bool, in gorgonia.Nodes, out, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	nodes := make(gorgonia.Nodes, len(in))
	operands := append(append(gorgonia.Nodes{}, in...), out, grad)
	for i, wanted := range wrt {
		if !wanted {
			continue
		}
		g := gradient{base: typed(of.String()+".gradient", fmt.Sprintf("[%d]", i), in[i].Type(), operands...), of: of, wrt: i}
		n, err := gorgonia.ApplyOp(g, operands...)
		if err != nil {
			return nil, err
		}
		nodes[i] = n
	}
	return nodes, nil
}

func (g gradient) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(g.name, in)
	if err != nil {
		return nil, err
	}
	n := len(s)
	if !s[n-2].Eq(s[n-1]) {
		return nil, fmt.Errorf("%s: the result has shape %v, its gradient %v: want the same", g.name, s[n-2], s[n-1])
	}
	return s[g.wrt].Clone(), nil
}

func (g gradient) DiffWRT(inputs int) []bool { return make([]bool, inputs) }

func (g gradient) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return nil, fmt.Errorf("%s: second derivatives are not provided", g.name)
}

func (g gradient) Do(in ...gorgonia.Value) (gorgonia.Value, error) { return evaluate(g, in) }

func (g gradient) Lower(b *ir.Builder, in []ir.ID) (ir.ID, error) {
	n := len(in) - 2
	inputs, y, dy := in[:n], in[n], in[n+1]
	if b.Maker(y) == nil { // a node alone, in Do: the statistics that the forward kernel leaves must be made first
		var err error
		if y, err = g.of.Lower(b, inputs); err != nil {
			return ir.None, err
		}
	}
	return g.of.lowerGradient(b, inputs, y, dy, g.wrt)
}
