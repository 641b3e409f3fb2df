package op

import (
	"errors"
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"atoll/engine/ir"
	"atoll/kernels"
)

// RowsOutput is the name under which a loss leaves the unscaled loss of each of its rows.
const RowsOutput = "rows"

// LogitsBytes bounds the logits of the language head that exist at one time, unless a device wants more (lower.Chunk): 64 MiB keep a
// CPU's products large enough.
const LogitsBytes = 64 << 20

// LogitsStride is how far a row of v logits is from the next: rows begin where lines of memory do, and a GPU's products take whole
// multiples of 64 columns.
func LogitsStride(v int) int { return (v + 63) / 64 * 64 }

// tileRows is the height of the products' tiles, in which the rows of a chunk are counted.
const tileRows = 32

// ChunkRows is how many of n rows of v logits exist at one time within so many bytes. Chunks are about even, of whole tiles where they
// hold any: there is no short one at the end but for that.
func ChunkRows(n, v int, bytes int64) int {
	most := min(n, max(1, int(bytes/int64(4*LogitsStride(v)))))
	chunks := max(1, (n+most-1)/max(1, most))
	even := (n + chunks - 1) / chunks
	if whole := min(most, even+tileRows-1) / tileRows * tileRows; whole > 0 && chunks > 1 {
		return whole
	}
	return even
}

type headLoss struct{ base }

// HeadLoss is the language head and its cross-entropy in one: h [N, C], tied embedding wte [V, C] and targets int32 [B, T]
// (N = B*T; below 0: not a target) give the sum over rows of -log softmax(h·wteᵀ)[target], times step[StepLossScale].
// The logits exist for a chunk of rows at a time. Its gradient wants the loss to be the graph's output as it is.
func HeadLoss(h, wte, targets, step *gorgonia.Node) (*gorgonia.Node, error) {
	return gorgonia.ApplyOp(headLoss{typed("head.loss", "", scalar, h, wte, targets, step)}, h, wte, targets, step)
}

func (o headLoss) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(o.name, in)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(wantMatrix(o.name, "h", s[0]), wantMatrix(o.name, "wte", s[1]), wantMatrix(o.name, "targets", s[2])); err != nil {
		return nil, err
	}
	if s[0][1] != s[1][1] {
		return nil, fmt.Errorf("head.loss: h is %v and wte is %v: want the same width", s[0], s[1])
	}
	if s[2][0]*s[2][1] != s[0][0] {
		return nil, fmt.Errorf("head.loss: targets are %v, want one for each of the %d rows of h", s[2], s[0][0])
	}
	return tensor.ScalarShape(), wantShape(o.name, "step", s[3], kernels.StepSize)
}

func (o headLoss) DiffWRT(int) []bool { return []bool{true, true, false, false} }

func (o headLoss) SymDiff(in gorgonia.Nodes, out, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	return gradients(o, o.DiffWRT(4), in, out, grad)
}

func (o headLoss) Do(in ...gorgonia.Value) (gorgonia.Value, error) { return evaluate(o, in) }

func (o headLoss) Lower(b *ir.Builder, in []ir.ID) (ir.ID, error) {
	h, wte := b.Shape(in[0]), b.Shape(in[1])
	n, c, v := h[0], h[1], wte[0]
	chunk := ChunkRows(n, v, LogitsBytes)
	loss, rows, dh, dwte := b.Temp(), b.Temp(n), b.Temp(n, c), b.Temp(v, c)
	b.Remember(loss, RowsOutput, rows)
	b.Remember(loss, "dh", dh)
	b.Remember(loss, "dwte", dwte)
	b.Emit(kernels.HeadLoss, ir.Args{"loss": loss, "rows": rows, "dh": dh, "dwte": dwte, "h": in[0], "wte": in[1],
		"targets": in[2], "step": in[3], "logits": b.Temp(chunk, LogitsStride(v))},
		ir.Dims{"N": n, "C": c, "V": v, "R": chunk, "LD": LogitsStride(v)})
	return loss, nil
}

// lowerGradient finds what the forward kernel has made already: it knows that the gradient of the loss is 1.
func (o headLoss) lowerGradient(b *ir.Builder, _ []ir.ID, y, _ ir.ID, wrt int) (ir.ID, error) {
	return b.Recall(y, []string{"dh", "dwte"}[wrt]), nil
}

type labelLoss struct {
	base
	kernel kernels.Kernel
}

// ClassLoss is softmax cross-entropy, one label a row: logits [B, K], labels int32 [B] (below 0: no label), weights of
// the classes [K] or nil give the sum over rows of weight[label] * -log softmax(logits)[label], times step[StepLossScale].
func ClassLoss(logits, labels, weights, step *gorgonia.Node) (*gorgonia.Node, error) {
	return newLabelLoss("class.loss", kernels.ClassLoss, logits, labels, weights, step)
}

// BinaryLoss is sigmoid cross-entropy, several labels a row: logits and targets [B, K] (a row whose first target is below
// 0 has no labels), weights of the positive targets [K] or nil give the sum over rows and classes, times
// step[StepLossScale].
func BinaryLoss(logits, targets, weights, step *gorgonia.Node) (*gorgonia.Node, error) {
	return newLabelLoss("binary.loss", kernels.BinaryLoss, logits, targets, weights, step)
}

func newLabelLoss(name string, kernel kernels.Kernel, logits, labels, weights, step *gorgonia.Node) (*gorgonia.Node, error) {
	in := gorgonia.Nodes{logits, labels, step}
	if weights != nil {
		in = append(in, weights)
	}
	return gorgonia.ApplyOp(labelLoss{typed(name, "", scalar, in...), kernel}, in...)
}

func (o labelLoss) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(o.name, in)
	if err != nil {
		return nil, err
	}
	if err := wantMatrix(o.name, "logits", s[0]); err != nil {
		return nil, err
	}
	labels := s[0].Clone()
	if o.kernel == kernels.ClassLoss {
		labels = labels[:1]
	}
	err = errors.Join(wantShape(o.name, "labels", s[1], labels...), wantShape(o.name, "step", s[2], kernels.StepSize))
	if len(s) == 4 {
		err = errors.Join(err, wantShape(o.name, "weights", s[3], s[0][1]))
	}
	return tensor.ScalarShape(), err
}

func (o labelLoss) DiffWRT(inputs int) []bool { return []bool{true, false, false, false}[:inputs] }

func (o labelLoss) SymDiff(in gorgonia.Nodes, out, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	return gradients(o, o.DiffWRT(len(in)), in, out, grad)
}

func (o labelLoss) Do(in ...gorgonia.Value) (gorgonia.Value, error) { return evaluate(o, in) }

func (o labelLoss) Lower(b *ir.Builder, in []ir.ID) (ir.ID, error) {
	s := b.Shape(in[0])
	loss, rows, dlogits := b.Temp(), b.Temp(s[0]), b.Temp(s...)
	b.Remember(loss, RowsOutput, rows)
	b.Remember(loss, "dlogits", dlogits)
	labels := "labels"
	if o.kernel == kernels.BinaryLoss {
		labels = "targets"
	}
	args := ir.Args{"loss": loss, "rows": rows, "dlogits": dlogits, "logits": in[0], labels: in[1], "step": in[2]}
	if len(in) == 4 {
		args["weights"] = in[3]
	}
	b.Emit(o.kernel, args, ir.Dims{"B": s[0], "K": s[1]})
	return loss, nil
}

func (o labelLoss) lowerGradient(b *ir.Builder, _ []ir.ID, y, _ ir.ID, _ int) (ir.ID, error) {
	return b.Recall(y, "dlogits"), nil
}
