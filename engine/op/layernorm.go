package op

import (
	"errors"
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"atoll/engine/ir"
	"atoll/kernels"
)

type layerNorm struct {
	base
	epsilon float32
}

// LayerNorm normalises each row of x [N, C] to mean 0 and variance 1 and applies gain g [C] and bias b [C]
// (Ba, Kiros and Hinton 2016, eq. 3 and 4, epsilon inside the root).
func LayerNorm(x, g, b *gorgonia.Node, epsilon float32) (*gorgonia.Node, error) {
	o := layerNorm{typed("layernorm", fmt.Sprintf("{%g}", epsilon), matrix, x, g, b), epsilon}
	return gorgonia.ApplyOp(o, x, g, b)
}

func (o layerNorm) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(o.name, in)
	if err != nil {
		return nil, err
	}
	if err := wantMatrix(o.name, "x", s[0]); err != nil {
		return nil, err
	}
	return s[0].Clone(), errors.Join(wantShape(o.name, "gain", s[1], s[0][1]), wantShape(o.name, "bias", s[2], s[0][1]))
}

func (o layerNorm) DiffWRT(int) []bool { return []bool{true, true, true} }

func (o layerNorm) SymDiff(in gorgonia.Nodes, out, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	return gradients(o, o.DiffWRT(3), in, out, grad)
}

func (o layerNorm) Do(in ...gorgonia.Value) (gorgonia.Value, error) { return evaluate(o, in) }

func (o layerNorm) Lower(b *ir.Builder, in []ir.ID) (ir.ID, error) {
	n, c := b.Shape(in[0])[0], b.Shape(in[0])[1]
	out, mean, rstd := b.Temp(n, c), b.Temp(n), b.Temp(n)
	b.Remember(out, "mean", mean)
	b.Remember(out, "rstd", rstd)
	b.Emit(kernels.LayerNorm, ir.Args{"out": out, "mean": mean, "rstd": rstd, "x": in[0], "g": in[1], "b": in[2]},
		ir.Dims{"N": n, "C": c}, o.epsilon)
	return out, nil
}

func (o layerNorm) lowerGradient(b *ir.Builder, in []ir.ID, y, dy ir.ID, wrt int) (ir.ID, error) {
	names := []string{"dx", "dg", "db"}
	if b.Recall(y, "dx") == ir.None {
		n, c := b.Shape(in[0])[0], b.Shape(in[0])[1]
		dx, dg, db := b.Temp(n, c), b.Temp(c), b.Temp(c)
		b.Emit(kernels.LayerNormBackward, ir.Args{"dx": dx, "dg": dg, "db": db, "dy": dy, "x": in[0], "g": in[1],
			"mean": b.Recall(y, "mean"), "rstd": b.Recall(y, "rstd"), "step": stepOf(b)}, ir.Dims{"N": n, "C": c})
		b.Remember(y, "dx", dx)
		b.Remember(y, "dg", dg)
		b.Remember(y, "db", db)
	}
	return b.Recall(y, names[wrt]), nil
}
