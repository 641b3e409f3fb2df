package op

import (
	"errors"
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"atoll/engine/ir"
	"atoll/kernels"
)

// AttentionSpec is the shape of an attention and what may be done in it.
type AttentionSpec struct {
	Batch, Sequence, Heads int
	Lengths                *gorgonia.Node // int32 [B]: rows at or beyond a sequence's length are padding; nil: none are
	Dropout                float32        // of the probabilities; 0 for none
	Seed                   *gorgonia.Node // int32 [2], needed with Dropout
	Salt                   int            // tells this dropout's random numbers from those of others
}

type attention struct {
	base
	spec AttentionSpec
}

// Attention is causal multi-head attention: qkv [B*T, 3C] holds a row's query, key and value side by side, the result is
// [B*T, C]; softmax(q·kᵀ/sqrt(C/H))·v within each head (Vaswani et al. 2017, eq. 1).
func Attention(qkv *gorgonia.Node, spec AttentionSpec) (*gorgonia.Node, error) {
	if err := wantProbability("attention", spec.Dropout); err != nil {
		return nil, err
	}
	in := gorgonia.Nodes{qkv}
	if spec.Lengths != nil {
		in = append(in, spec.Lengths)
	}
	if spec.Dropout > 0 {
		if spec.Seed == nil {
			return nil, fmt.Errorf("attention: dropout is %g and there is no seed: give the seed input", spec.Dropout)
		}
		in = append(in, spec.Seed)
	}
	attrs := fmt.Sprintf("{B=%d T=%d H=%d dropout=%g salt=%d}", spec.Batch, spec.Sequence, spec.Heads, spec.Dropout, spec.Salt)
	return gorgonia.ApplyOp(attention{typed("attention", attrs, matrix, in...), spec}, in...)
}

func (o attention) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(o.name, in)
	if err != nil {
		return nil, err
	}
	if err := wantMatrix(o.name, "qkv", s[0]); err != nil {
		return nil, err
	}
	rows, width := s[0][0], s[0][1]
	if rows != o.spec.Batch*o.spec.Sequence {
		return nil, fmt.Errorf("attention: qkv has %d rows, want batch %d times sequence %d", rows, o.spec.Batch, o.spec.Sequence)
	}
	if o.spec.Heads < 1 || width%(3*o.spec.Heads) != 0 {
		return nil, fmt.Errorf("attention: qkv is %d wide, want 3 times a multiple of the %d heads", width, o.spec.Heads)
	}
	next := 1
	if o.spec.Lengths != nil {
		err = wantShape(o.name, "lengths", s[next], o.spec.Batch)
		next++
	}
	if o.spec.Dropout > 0 {
		err = errors.Join(err, wantShape(o.name, "seed", s[next], 2))
	}
	return tensor.Shape{rows, width / 3}, err
}

func (o attention) DiffWRT(inputs int) []bool { return []bool{true, false, false}[:inputs] }

func (o attention) SymDiff(in gorgonia.Nodes, out, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	return gradients(o, o.DiffWRT(len(in)), in, out, grad)
}

func (o attention) Do(in ...gorgonia.Value) (gorgonia.Value, error) { return evaluate(o, in) }

func (o attention) dims(b *ir.Builder, in []ir.ID) ir.Dims {
	return ir.Dims{"B": o.spec.Batch, "T": o.spec.Sequence, "C": b.Shape(in[0])[1] / 3, "H": o.spec.Heads, "salt": o.spec.Salt}
}

// options adds the operands that may be absent.
func (o attention) options(args ir.Args, in []ir.ID) ir.Args {
	next := 1
	if o.spec.Lengths != nil {
		args["lengths"] = in[next]
		next++
	}
	if o.spec.Dropout > 0 {
		args["seed"] = in[next]
	}
	return args
}

func (o attention) Lower(b *ir.Builder, in []ir.ID) (ir.ID, error) {
	dims := o.dims(b, in)
	out := b.Temp(dims["B"]*dims["T"], dims["C"])
	lse := b.Temp(dims["B"], dims["H"], dims["T"])
	b.Remember(out, "lse", lse)
	b.Emit(kernels.Attention, o.options(ir.Args{"out": out, "lse": lse, "qkv": in[0]}, in), dims, o.spec.Dropout)
	return out, nil
}

func (o attention) lowerGradient(b *ir.Builder, in []ir.ID, y, dy ir.ID, _ int) (ir.ID, error) {
	dqkv := b.Temp(b.Shape(in[0])...)
	args := ir.Args{"dqkv": dqkv, "dout": dy, "qkv": in[0], "out": y, "lse": b.Recall(y, "lse")}
	b.Emit(kernels.AttentionBackward, o.options(args, in), o.dims(b, in), o.spec.Dropout)
	return dqkv, nil
}

type cachedAttention struct {
	base
	batch, heads int
}

// CachedAttention is Attention for rows that come after others: qkv [B*T, 3C] of the new rows, caches of keys and values
// [B*P, C] that hold the rows before start (int32 [1]) and take the new ones. It has no gradient.
func CachedAttention(qkv, keys, values, start *gorgonia.Node, batch, heads int) (*gorgonia.Node, error) {
	o := cachedAttention{typed("attention.cached", fmt.Sprintf("{B=%d H=%d}", batch, heads), matrix, qkv, keys, values, start), batch, heads}
	return gorgonia.ApplyOp(o, qkv, keys, values, start)
}

func (o cachedAttention) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(o.name, in)
	if err != nil {
		return nil, err
	}
	err = errors.Join(wantMatrix(o.name, "qkv", s[0]), wantMatrix(o.name, "keys", s[1]), wantMatrix(o.name, "values", s[2]))
	if err != nil {
		return nil, err
	}
	rows, width := s[0][0], s[0][1]
	if o.batch < 1 || o.heads < 1 || rows%o.batch != 0 || width%(3*o.heads) != 0 {
		return nil, fmt.Errorf("attention.cached: qkv is %v, want a multiple of %d rows and of %d columns", s[0], o.batch, 3*o.heads)
	}
	if s[1][0]%o.batch != 0 || !s[1].Eq(s[2]) || s[1][1] != width/3 {
		return nil, fmt.Errorf("attention.cached: caches are %v and %v, want two of (batch %d times positions, %d)", s[1], s[2], o.batch, width/3)
	}
	return tensor.Shape{rows, width / 3}, wantShape(o.name, "start", s[3], 1)
}

func (o cachedAttention) DiffWRT(inputs int) []bool { return make([]bool, inputs) }

func (o cachedAttention) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return nil, fmt.Errorf("attention.cached: has no gradient: train with Attention")
}

func (o cachedAttention) Do(in ...gorgonia.Value) (gorgonia.Value, error) { return evaluate(o, in) }

func (o cachedAttention) Lower(b *ir.Builder, in []ir.ID) (ir.ID, error) {
	rows, width := b.Shape(in[0])[0], b.Shape(in[0])[1]/3
	out := b.Temp(rows, width)
	b.Emit(kernels.AttentionCached, ir.Args{"out": out, "qkv": in[0], "keys": in[1], "values": in[2], "start": in[3]},
		ir.Dims{"B": o.batch, "T": rows / o.batch, "C": width, "H": o.heads, "P": b.Shape(in[1])[0] / o.batch})
	return out, nil
}
