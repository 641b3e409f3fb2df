package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"atoll/engine/ir"
	"atoll/kernels"
)

type embed struct{ base }

// Embed sums token and position embeddings: tokens int32 [B, T], wte [V, C], wpe [P, C] give [B*T, C], where row b*T+t is
// wte[tokens[b,t]] + wpe[start+t]. start, int32 [1], may be nil for 0: it is where a decoding step stands.
func Embed(tokens, wte, wpe, start *gorgonia.Node) (*gorgonia.Node, error) {
	in := gorgonia.Nodes{tokens, wte, wpe}
	if start != nil {
		in = append(in, start)
	}
	return gorgonia.ApplyOp(embed{typed("embed", "", matrix, in...)}, in...)
}

func (o embed) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(o.name, in)
	if err != nil {
		return nil, err
	}
	for i, operand := range []string{"tokens", "wte", "wpe"} {
		if err := wantMatrix(o.name, operand, s[i]); err != nil {
			return nil, err
		}
	}
	tokens, wte, wpe := s[0], s[1], s[2]
	if wte[1] != wpe[1] {
		return nil, fmt.Errorf("embed: wte is %v and wpe is %v: want the same width", wte, wpe)
	}
	if tokens[1] > wpe[0] {
		return nil, fmt.Errorf("embed: sequences of %d tokens, and the model has %d positions: shorten the sequence (--seq)", tokens[1], wpe[0])
	}
	if len(s) == 4 {
		err = wantShape(o.name, "start", s[3], 1)
	}
	return tensor.Shape{tokens[0] * tokens[1], wte[1]}, err
}

func (o embed) DiffWRT(inputs int) []bool { return []bool{false, true, true, false}[:inputs] }

func (o embed) SymDiff(in gorgonia.Nodes, out, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	if len(in) == 4 {
		return nil, fmt.Errorf("embed: has no gradient from a start on: train on whole sequences, without one")
	}
	return gradients(o, o.DiffWRT(len(in)), in, out, grad)
}

func (o embed) Do(in ...gorgonia.Value) (gorgonia.Value, error) { return evaluate(o, in) }

func (o embed) dims(b *ir.Builder, in []ir.ID) ir.Dims {
	tokens, wte, wpe := b.Shape(in[0]), b.Shape(in[1]), b.Shape(in[2])
	return ir.Dims{"B": tokens[0], "T": tokens[1], "C": wte[1], "V": wte[0], "P": wpe[0]}
}

func (o embed) Lower(b *ir.Builder, in []ir.ID) (ir.ID, error) {
	dims := o.dims(b, in)
	out := b.Temp(dims["B"]*dims["T"], dims["C"])
	args := ir.Args{"out": out, "tokens": in[0], "wte": in[1], "wpe": in[2]}
	if len(in) == 4 {
		args["start"] = in[3]
	}
	b.Emit(kernels.Embed, args, dims)
	return out, nil
}

func (o embed) lowerGradient(b *ir.Builder, in []ir.ID, y, dy ir.ID, wrt int) (ir.ID, error) {
	names := []string{"", "dwte", "dwpe"}
	if b.Recall(y, "dwte") == ir.None {
		dwte, dwpe := b.Temp(b.Shape(in[1])...), b.Temp(b.Shape(in[2])...)
		b.Remember(y, "dwte", dwte)
		b.Remember(y, "dwpe", dwpe)
		b.Emit(kernels.EmbedBackward, ir.Args{"dwte": dwte, "dwpe": dwpe, "dout": dy, "tokens": in[0], "step": stepOf(b)}, o.dims(b, in))
	}
	return b.Recall(y, names[wrt]), nil
}
