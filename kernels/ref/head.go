package ref

import "atoll/kernels"

// HeadShape is what HeadLoss needs to know besides its tensors.
type HeadShape struct {
	N, C, V        int
	Scale          float32 // step[StepLossScale]
	AccumulateLoss bool
	Accumulate     bool          // dwte is added to
	Precision      kernels.DType // to which dlogits is rounded before a product
}

// HeadLoss is the language head, logits = h·wteᵀ for h [N,C] and wte [V,C], with its cross-entropy and gradients:
//
//	rows[n] = -log softmax(logits[n])[targets[n]]
//	loss    = sum(rows) * Scale
//	dlogits = (softmax(logits) - onehot(targets)) * Scale
//	dh      = dlogits·wte,  dwte = dlogitsᵀ·h
//
// A row whose target is below 0 is ignored: its loss and gradients are 0. rows [N], dh and dwte may be nil. One row of
// logits exists at a time; a fast kernel takes R of them in the room it is given, whose contents afterwards are
// unspecified.
func HeadLoss(loss, rows, dh, dwte, h, wte []float32, targets []int32, shape HeadShape) {
	C := shape.C
	total, sums := 0.0, make([]float64, len(dwte))
	dlogits, gradient := make([]float64, shape.V), make([]float64, C)
	for n := range shape.N {
		row := h[n*C : (n+1)*C]
		value := shape.row(dlogits, row, wte, int(targets[n]))
		total += value
		if rows != nil {
			rows[n] = float32(value)
		}
		clear(gradient)
		for v, d := range dlogits {
			if dh != nil {
				addScaled(gradient, d, wte[v*C:(v+1)*C])
			}
			if dwte != nil {
				addScaled(sums[v*C:(v+1)*C], d, row)
			}
		}
		if dh != nil {
			putAll(dh[n*C:(n+1)*C], gradient, false)
		}
	}
	put(&loss[0], total*float64(shape.Scale), shape.AccumulateLoss)
	putAll(dwte, sums, shape.Accumulate)
}

// row fills dlogits for one row and gives its loss.
func (s HeadShape) row(dlogits []float64, h, wte []float32, target int) float64 {
	clear(dlogits)
	if target < 0 {
		return 0
	}
	product(dlogits, h, wte, true)
	ofTarget := dlogits[target]
	p, lse := softmax(dlogits)
	p[target]--
	for v := range p {
		p[v] = float64(Round(float32(p[v]*float64(s.Scale)), s.Precision))
	}
	return lse - ofTarget
}

func runHeadLoss(a *arguments) error {
	if err := a.checkIndexes("target", a.int("targets"), true, "V"); err != nil {
		return err
	}
	HeadLoss(a.float("loss"), a.float("rows"), a.float("dh"), a.float("dwte"), a.float("h"), a.weight("wte"), a.int("targets"),
		HeadShape{N: a.dim("N"), C: a.dim("C"), V: a.dim("V"), Scale: a.step(kernels.StepLossScale),
			AccumulateLoss: a.accumulate("lossMode"), Accumulate: a.accumulate("mode"), Precision: a.call.Precision})
	return nil
}

func runHeadLossNorm(a *arguments) error {
	if err := a.checkIndexes("token", a.int("tokens"), false, "V"); err != nil {
		return err
	}
	if err := runHeadLoss(a); err != nil {
		return err
	}
	a.float("norm")[0] = rowsNorm(a.float("dwte"), a.int("tokens"), a.dim("C"), false)
	return nil
}
