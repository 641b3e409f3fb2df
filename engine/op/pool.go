package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"atoll/engine/ir"
	"atoll/kernels"
)

type pool struct{ base }

// Pool reads each sequence at its last real token: x [B*T, C] and lengths int32 [B] give [B, C].
func Pool(x, lengths *gorgonia.Node) (*gorgonia.Node, error) {
	return gorgonia.ApplyOp(pool{typed("pool", "", matrix, x, lengths)}, x, lengths)
}

func (o pool) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(o.name, in)
	if err != nil {
		return nil, err
	}
	if err := wantMatrix(o.name, "x", s[0]); err != nil {
		return nil, err
	}
	if s[1].Dims() != 1 || s[1][0] == 0 || s[0][0]%s[1][0] != 0 {
		return nil, fmt.Errorf("pool: x has %d rows and lengths is %v: want one length for each of the equally long sequences", s[0][0], s[1])
	}
	return tensor.Shape{s[1][0], s[0][1]}, nil
}

func (o pool) DiffWRT(int) []bool { return []bool{true, false} }

func (o pool) SymDiff(in gorgonia.Nodes, out, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	return gradients(o, o.DiffWRT(2), in, out, grad)
}

func (o pool) Do(in ...gorgonia.Value) (gorgonia.Value, error) { return evaluate(o, in) }

func (o pool) dims(b *ir.Builder, in []ir.ID) ir.Dims {
	batch := b.Shape(in[1])[0]
	return ir.Dims{"B": batch, "T": b.Shape(in[0])[0] / batch, "C": b.Shape(in[0])[1]}
}

func (o pool) Lower(b *ir.Builder, in []ir.ID) (ir.ID, error) {
	dims := o.dims(b, in)
	out := b.Temp(dims["B"], dims["C"])
	b.Emit(kernels.Pool, ir.Args{"out": out, "x": in[0], "lengths": in[1]}, dims)
	return out, nil
}

func (o pool) lowerGradient(b *ir.Builder, in []ir.ID, _, dy ir.ID, _ int) (ir.ID, error) {
	dx := b.Temp(b.Shape(in[0])...)
	b.Emit(kernels.PoolBackward, ir.Args{"dx": dx, "dout": dy, "lengths": in[1]}, o.dims(b, in))
	return dx, nil
}
