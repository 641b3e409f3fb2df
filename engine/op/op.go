// Package op holds the operations of GPT-2 that gorgonia lacks: embedding, layer norm, linear, causal attention,
// residual sum, dropout, the language head with its loss, token pooling and the classification losses.
//
// Each takes nodes of one graph and gives the node of its result. Shapes are checked when the node is made; the error
// names the op, what was got and what was wanted. Each op knows three things: the shape of its result, the nodes of its
// gradient (so gorgonia.Grad differentiates the graph), and the kernels that compute it (Lower). engine/lower compiles
// whole graphs from Lower; Do runs the same kernels one node at a time on kernels/ref, so that gorgonia's own machine is
// an oracle for the compiled program.
package op

import (
	"fmt"
	"hash"
	"hash/fnv"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"atoll/engine/ir"
)

// Rule is an operation that can be lowered.
type Rule interface {
	gorgonia.SDOp
	// Lower adds the instructions that compute the node and gives the value of its result.
	Lower(b *ir.Builder, in []ir.ID) (ir.ID, error)
}

// differentiable is a Rule with gradients.
type differentiable interface {
	Rule
	// lowerGradient gives the gradient with regard to input wrt. y is the op's result, dy the gradient of it. The first
	// call emits one kernel for all gradients and remembers them under y.
	lowerGradient(b *ir.Builder, in []ir.ID, y, dy ir.ID, wrt int) (ir.ID, error)
}

// base is what every op answers in the same way. Attrs tells two ops of one name apart: gorgonia merges nodes whose ops
// hash alike over the same operands.
type base struct {
	name  string
	attrs string
	types []hm.Type // of the operands as they are, then of the result
}

func (o base) Arity() int            { return len(o.types) - 1 }
func (o base) Type() hm.Type         { return hm.NewFnType(o.types...) }
func (o base) ReturnsPtr() bool      { return false }
func (o base) CallsExtern() bool     { return false }
func (o base) OverwritesInput() int  { return -1 }
func (o base) WriteHash(h hash.Hash) { fmt.Fprint(h, o.name, o.attrs) }
func (o base) String() string        { return o.name + o.attrs }

func (o base) Hashcode() uint32 {
	h := fnv.New32a()
	o.WriteHash(h)
	return h.Sum32()
}

// typed gives the base of an op over in whose result has the type result.
func typed(name, attrs string, result hm.Type, in ...*gorgonia.Node) base {
	types := make([]hm.Type, 0, len(in)+1)
	for _, n := range in {
		types = append(types, n.Type())
	}
	return base{name: name, attrs: attrs, types: append(types, result)}
}

var (
	matrix = gorgonia.TensorType{Dims: 2, Of: tensor.Float32}
	scalar = tensor.Float32
)

// shapes are the operands' shapes.
func shapes(name string, in []gorgonia.DimSizer) ([]tensor.Shape, error) {
	s, err := gorgonia.DimSizersToShapes(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// wantShape checks one operand.
func wantShape(op, operand string, got tensor.Shape, want ...int) error {
	if !got.Eq(tensor.Shape(want)) {
		return fmt.Errorf("%s: %s has shape %v, want %v", op, operand, got, tensor.Shape(want))
	}
	return nil
}

// wantMatrix checks that an operand has rank 2.
func wantMatrix(op, operand string, got tensor.Shape) error {
	if got.Dims() != 2 {
		return fmt.Errorf("%s: %s has shape %v, want a matrix (rows, width)", op, operand, got)
	}
	return nil
}

// wantProbability checks the probability of a dropout.
func wantProbability(op string, p float32) error {
	if !(p >= 0 && p < 1) {
		return fmt.Errorf("%s: dropout has probability %g, want at least 0 and below 1", op, p)
	}
	return nil
}
