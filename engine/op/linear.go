package op

import (
	"errors"
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"atoll/engine/ir"
	"atoll/kernels"
)

// Activation is what Linear applies to its sum.
type Activation uint8

const (
	Identity Activation = iota
	GELU                // the tanh form (Hendrycks and Gimpel 2016), as GPT-2 has it
)

type linear struct {
	base
	transposed bool
	activation Activation
}

// Linear is y = activation(x·w + b): x [N, I], w [I, O] (or [O, I] when transposed), b [O] or nil, y [N, O].
func Linear(x, w, b *gorgonia.Node, transposed bool, activation Activation) (*gorgonia.Node, error) {
	in := gorgonia.Nodes{x, w}
	if b != nil {
		in = append(in, b)
	}
	attrs := fmt.Sprintf("{transposed=%v gelu=%v}", transposed, activation == GELU)
	return gorgonia.ApplyOp(linear{typed("linear", attrs, matrix, in...), transposed, activation}, in...)
}

// widths of input and output by the shape of w.
func (o linear) widths(w []int) (in, out int) {
	if o.transposed {
		return w[1], w[0]
	}
	return w[0], w[1]
}

func (o linear) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(o.name, in)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(wantMatrix(o.name, "input", s[0]), wantMatrix(o.name, "weight", s[1])); err != nil {
		return nil, err
	}
	i, out := o.widths(s[1])
	if s[0][1] != i {
		return nil, fmt.Errorf("linear: input is %v and weight is %v (transposed %v): want a weight of input width %d", s[0], s[1], o.transposed, s[0][1])
	}
	if len(s) == 3 {
		err = wantShape(o.name, "bias", s[2], out)
	}
	return tensor.Shape{s[0][0], out}, err
}

func (o linear) DiffWRT(inputs int) []bool { return []bool{true, true, true}[:inputs] }

func (o linear) SymDiff(in gorgonia.Nodes, out, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	return gradients(o, o.DiffWRT(len(in)), in, out, grad)
}

func (o linear) Do(in ...gorgonia.Value) (gorgonia.Value, error) { return evaluate(o, in) }

func (o linear) dims(b *ir.Builder, in []ir.ID) ir.Dims {
	i, out := o.widths(b.Shape(in[1]))
	d := ir.Dims{"N": b.Shape(in[0])[0], "I": i, "O": out}
	if o.transposed {
		d["transposed"] = 1
	}
	return d
}

func (o linear) Lower(b *ir.Builder, in []ir.ID) (ir.ID, error) {
	dims := o.dims(b, in)
	y := b.Temp(dims["N"], dims["O"])
	args := ir.Args{"y": y, "x": in[0], "w": in[1]}
	if len(in) == 3 {
		args["b"] = in[2]
	}
	if o.activation == GELU {
		pre := b.Temp(dims["N"], dims["O"])
		b.Remember(y, "pre", pre)
		args["pre"] = pre
		dims["gelu"] = 1
	}
	b.Emit(kernels.Linear, args, dims)
	return y, nil
}

func (o linear) lowerGradient(b *ir.Builder, in []ir.ID, y, dy ir.ID, wrt int) (ir.ID, error) {
	if o.activation == GELU {
		var err error
		if dy, err = lowerGELUGradient(b, y, dy); err != nil {
			return ir.None, err
		}
	}
	if wrt == 0 {
		return o.lowerDX(b, in, y, dy), nil
	}
	if b.Recall(y, "dw") == ir.None {
		args := ir.Args{"dw": b.Temp(b.Shape(in[1])...), "x": in[0], "dy": dy, "step": stepOf(b)}
		b.Remember(y, "dw", args["dw"])
		dims := o.dims(b, in)
		if len(in) == 3 {
			args["db"] = b.Temp(dims["O"])
			b.Remember(y, "db", args["db"])
		}
		b.Emit(kernels.LinearDW, args, dims)
	}
	return b.Recall(y, []string{"", "dw", "db"}[wrt]), nil
}

func (o linear) lowerDX(b *ir.Builder, in []ir.ID, y, dy ir.ID) ir.ID {
	if dx := b.Recall(y, "dx"); dx != ir.None {
		return dx
	}
	dx := b.Temp(b.Shape(in[0])...)
	b.Remember(y, "dx", dx)
	b.Emit(kernels.LinearDX, ir.Args{"dx": dx, "dy": dy, "w": in[1]}, o.dims(b, in))
	return dx
}

// lowerGELUGradient emits dpre = dy * gelu'(pre), once for y. The fusion pass moves it into the product that made dy.
func lowerGELUGradient(b *ir.Builder, y, dy ir.ID) (ir.ID, error) {
	if dpre := b.Recall(y, "dpre"); dpre != ir.None {
		return dpre, nil
	}
	dpre := b.Temp(b.Shape(y)...)
	b.Remember(y, "dpre", dpre)
	b.Emit(kernels.GELUBackward, ir.Args{"dpre": dpre, "dy": dy, "pre": b.Recall(y, "pre")}, ir.Dims{"N": b.Shape(y)[0] * b.Shape(y)[1]})
	return dpre, nil
}
