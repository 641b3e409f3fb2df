package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"atoll/engine/ir"
	"atoll/kernels"
)

type residual struct{ base }

// Residual is the sum of two activations of one shape [N, C].
func Residual(a, b *gorgonia.Node) (*gorgonia.Node, error) {
	return gorgonia.ApplyOp(residual{typed("residual", "", matrix, a, b)}, a, b)
}

func (o residual) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(o.name, in)
	if err != nil {
		return nil, err
	}
	return s[0].Clone(), wantShape(o.name, "second operand", s[1], s[0]...)
}

func (o residual) DiffWRT(int) []bool { return []bool{true, true} }

// SymDiff hands the gradient to both operands as it is.
func (o residual) SymDiff(_ gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	return gorgonia.Nodes{grad, grad}, nil
}

func (o residual) Do(in ...gorgonia.Value) (gorgonia.Value, error) { return evaluate(o, in) }

func (o residual) Lower(b *ir.Builder, in []ir.ID) (ir.ID, error) { return LowerSum(b, in[0], in[1]) }

// LowerSum adds two values of one shape. Two parts of a parameter's gradient become one: the kernel that makes the later
// part adds to the earlier one in place.
func LowerSum(b *ir.Builder, x, y ir.ID) (ir.ID, error) {
	first, second := x, y
	if b.Made(first) > b.Made(second) {
		first, second = second, first
	}
	if isPart(b, first) && isPart(b, second) {
		return first, addInPlace(b.Maker(second), first, second)
	}
	n := 1
	for _, d := range b.Shape(x) {
		n *= d
	}
	out := b.Temp(b.Shape(x)...)
	b.Emit(kernels.Add, ir.Args{"out": out, "a": x, "b": y}, ir.Dims{"N": n})
	return out, nil
}

// isPart says that v was made by a kernel that can add to what is there.
func isPart(b *ir.Builder, v ir.ID) bool {
	maker := b.Maker(v)
	if maker == nil {
		return false
	}
	at := argOf(maker, v)
	return at >= 0 && kernels.SignatureOf(maker.Kernel).Args[at].Access == kernels.Sum
}

func addInPlace(maker *ir.Instr, first, second ir.ID) error {
	at := argOf(maker, second)
	arg := kernels.SignatureOf(maker.Kernel).Args[at]
	for other, a := range kernels.SignatureOf(maker.Kernel).Args {
		if other != at && maker.Args[other] != ir.None && a.Access == kernels.Sum && maker.SharesMode(arg.Name, a.Name) {
			return fmt.Errorf("%v: %s is one part of a gradient's sum and %s is not, and the kernel has one mode for both", maker.Kernel, arg.Name, a.Name)
		}
	}
	maker.Args[at] = first
	return maker.SetMode(arg.Name, kernels.Accumulate)
}

func argOf(i *ir.Instr, v ir.ID) int {
	for at, id := range i.Args {
		if id == v {
			return at
		}
	}
	return -1
}
