package ref

import (
	"math"

	"atoll/kernels"
)

// LossShape is what ClassLoss and BinaryLoss need to know besides their tensors.
type LossShape struct {
	B, K       int
	Scale      float32 // step[StepLossScale]
	Accumulate bool    // loss is added to
}

// ClassLoss is softmax cross-entropy over K classes for logits [B,K] and labels [B]:
//
//	rows[b] = w * -log softmax(logits[b])[labels[b]], w = weights[labels[b]]
//	loss    = sum(rows) * Scale
//	dlogits = w * (softmax(logits) - onehot(labels)) * Scale
//
// A row whose label is below 0 is ignored: its loss and gradient are 0. rows [B], dlogits [B,K] and weights [K] (nil:
// ones) may be nil.
func ClassLoss(loss, rows, dlogits, logits []float32, labels []int32, weights []float32, shape LossShape) {
	total, K := 0.0, shape.K
	p := make([]float64, K)
	for b := range shape.B {
		value, label, weight := 0.0, int(labels[b]), 1.0
		clear(p)
		if label >= 0 {
			if weights != nil {
				weight = float64(weights[label])
			}
			for k := range K {
				p[k] = float64(logits[b*K+k])
			}
			_, lse := softmax(p)
			value = weight * (lse - float64(logits[b*K+label]))
			p[label]--
		}
		total += value
		if rows != nil {
			rows[b] = float32(value)
		}
		if dlogits != nil {
			for k := range K {
				dlogits[b*K+k] = float32(weight * p[k] * float64(shape.Scale))
			}
		}
	}
	put(&loss[0], total*float64(shape.Scale), shape.Accumulate)
}

// BinaryLoss is sigmoid cross-entropy over K labels for logits x and targets y in 0..1, both [B,K], with w the weight
// of the positive side (weights [K], nil: ones), as PyTorch's BCEWithLogitsLoss with pos_weight:
//
//	rows[b] = sum over k of -(w*y*log sigmoid(x) + (1-y)*log(1-sigmoid(x)))
//	loss    = sum(rows) * Scale
//	dlogits = ((1-y) - (1 + (w-1)*y) * sigmoid(-x)) * Scale
//
// A row whose first target is below 0 is ignored: its loss and gradient are 0. rows [B] and dlogits [B,K] may be nil.
// For the mean over batch and labels the host puts 1/(B*K) into Scale.
func BinaryLoss(loss, rows, dlogits, logits, targets, weights []float32, shape LossShape) {
	total, K := 0.0, shape.K
	for b := range shape.B {
		row := 0.0
		for k := range K {
			weight := 1.0
			if weights != nil {
				weight = float64(weights[k])
			}
			value, slope := 0.0, 0.0
			if targets[b*K] >= 0 {
				value, slope = binaryCrossEntropy(float64(logits[b*K+k]), float64(targets[b*K+k]), weight)
			}
			row += value
			if dlogits != nil {
				dlogits[b*K+k] = float32(slope * float64(shape.Scale))
			}
		}
		total += row
		if rows != nil {
			rows[b] = float32(row)
		}
	}
	put(&loss[0], total*float64(shape.Scale), shape.Accumulate)
}

// binaryCrossEntropy is the loss of one logit and its derivative, in the form that does not overflow:
// (1-y)*x + (1+(w-1)*y)*log(1+exp(-x)).
func binaryCrossEntropy(x, y, weight float64) (value, slope float64) {
	factor := 1 + (weight-1)*y
	softplus := math.Max(-x, 0) + math.Log1p(math.Exp(-math.Abs(x)))
	return (1-y)*x + factor*softplus, (1 - y) - factor/(1+math.Exp(x))
}

func (a *arguments) lossShape() LossShape {
	return LossShape{B: a.dim("B"), K: a.dim("K"), Scale: a.step(kernels.StepLossScale), Accumulate: a.accumulate("lossMode")}
}

func runClassLoss(a *arguments) error {
	if err := a.checkIndexes("label", a.int("labels"), true, "K"); err != nil {
		return err
	}
	ClassLoss(a.float("loss"), a.float("rows"), a.float("dlogits"), a.float("logits"), a.int("labels"), a.float("weights"),
		a.lossShape())
	return nil
}

func runBinaryLoss(a *arguments) error {
	BinaryLoss(a.float("loss"), a.float("rows"), a.float("dlogits"), a.float("logits"), a.float("targets"), a.float("weights"),
		a.lossShape())
	return nil
}
