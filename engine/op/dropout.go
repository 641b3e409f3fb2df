package op

import (
	"errors"
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"atoll/engine/ir"
	"atoll/kernels"
)

type dropout struct {
	base
	probability float32
	salt        int
}

// Dropout sets elements of x [N, C] to zero with the given probability and scales the others by 1/(1-p). The mask comes
// from Philox (Salmon et al. 2011) under seed, int32 [2], and salt, so that backward recomputes it.
func Dropout(x, seed *gorgonia.Node, probability float32, salt int) (*gorgonia.Node, error) {
	if err := wantProbability("dropout", probability); err != nil {
		return nil, err
	}
	o := dropout{typed("dropout", fmt.Sprintf("{p=%g salt=%d}", probability, salt), matrix, x, seed), probability, salt}
	return gorgonia.ApplyOp(o, x, seed)
}

func (o dropout) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(o.name, in)
	if err != nil {
		return nil, err
	}
	return s[0].Clone(), errors.Join(wantMatrix(o.name, "x", s[0]), wantShape(o.name, "seed", s[1], 2))
}

func (o dropout) DiffWRT(int) []bool { return []bool{true, false} }

func (o dropout) SymDiff(in gorgonia.Nodes, out, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	return gradients(o, o.DiffWRT(2), in, out, grad)
}

func (o dropout) Do(in ...gorgonia.Value) (gorgonia.Value, error) { return evaluate(o, in) }

func (o dropout) Lower(b *ir.Builder, in []ir.ID) (ir.ID, error) {
	return o.apply(b, in[0], in[1]), nil
}

// lowerGradient is the same mask and scale on dy.
func (o dropout) lowerGradient(b *ir.Builder, in []ir.ID, _, dy ir.ID, _ int) (ir.ID, error) {
	return o.apply(b, dy, in[1]), nil
}

func (o dropout) apply(b *ir.Builder, x, seed ir.ID) ir.ID {
	s := b.Shape(x)
	y := b.Temp(s...)
	b.Emit(kernels.Dropout, ir.Args{"y": y, "x": x, "seed": seed}, ir.Dims{"N": s[0] * s[1], "salt": o.salt}, o.probability)
	return y
}
