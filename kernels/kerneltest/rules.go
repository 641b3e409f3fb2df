package kerneltest

import (
	"math"

	"atoll/kernels"
)

// rule says how far an output may be from ref in fp32: relative times the larger of the tensor's largest magnitude and
// floor. The floor is the size that the terms of the result have; it is for tensors so small that all their elements may
// happen to cancel. In half precision this much is allowed besides FlashAttention's rule, as sums are fp32 there too.
type rule struct {
	relative, floor float64
	exact           bool // equal to ref in every precision: values that are only moved
}

// ruleOf is the rule for one output of a case.
func ruleOf(c Case, arg string) rule {
	N, scale := float64(c.dim("N")), float64(lossScale)
	switch c.Kernel {
	case kernels.Embed, kernels.Add:
		return rule{} // one rounding, which IEEE arithmetic defines
	case kernels.EmbedBackward, kernels.EmbedBackwardNorm:
		return sumOf(float64(c.dim("B") * c.dim("T")))
	case kernels.LayerNorm:
		return rule{relative: 2e-6 * (1 + float64(c.Offset["x"])/10), floor: 1}
	case kernels.LayerNormBackward:
		if arg == "dx" {
			return rule{relative: 2e-6, floor: 1}
		}
		return sumOf(N)
	case kernels.Linear, kernels.LinearPacked:
		return sumOf(float64(c.dim("I")))
	case kernels.LinearDX, kernels.LinearDXPacked:
		return sumOf(float64(c.dim("O")))
	case kernels.LinearDW, kernels.LinearDWNorm: // the error of a norm is about that of an element: they are independent of each other
		r := sumOf(N)
		if size := float64(c.Scale["dy"]); size > 0 {
			r.floor *= size
		}
		return r
	case kernels.Attention, kernels.AttentionBackward:
		// The error of a score, which grows with the square of q and k, is the relative error of its probability.
		if scale := float64(c.Scale["qkv"]); scale > 1 {
			return rule{relative: 4e-6 * scale * scale, floor: 1}
		}
		return rule{relative: 4e-6, floor: 1}
	case kernels.AttentionCached:
		return rule{relative: 4e-6, floor: 1, exact: arg != "out"}
	case kernels.Dropout:
		return rule{relative: 3e-7}
	case kernels.GELUBackward:
		return rule{relative: 1e-6}
	case kernels.GELU:
		return rule{relative: 1e-6, floor: 1} // far below 0 a result is tiny, and its relative error that of e^(x^3)
	case kernels.HeadLoss, kernels.HeadLossNorm:
		return headRule(c, arg)
	case kernels.Pool, kernels.PoolBackward, kernels.Pack:
		return rule{exact: true}
	case kernels.ClassLoss, kernels.BinaryLoss:
		if arg == "rows" {
			return rule{relative: 2e-6, floor: 1}
		}
		return rule{relative: 2e-6, floor: scale}
	case kernels.GradNorm, kernels.GradNormRest:
		return rule{relative: 3e-7}
	}
	return rule{relative: 1e-6} // adamw
}

// sumOf is the rule for a sum of count products of numbers up to 1. The rounding errors of a running fp32 sum grow like
// a random walk, to about 2e-8*sqrt(count) of the largest of many results; five times that is allowed.
func sumOf(count float64) rule {
	root := math.Sqrt(math.Max(count, 1))
	return rule{relative: 3e-7 + 1e-7*root, floor: root / 4}
}

// headRule: the error of a logit, a sum of C products, is the relative error of its probability.
func headRule(c Case, arg string) rule {
	logits := sumOf(float64(c.dim("C")))
	switch arg {
	case "rows":
		return rule{relative: 2e-6 + logits.relative, floor: 1}
	case "dwte", "norm":
		return rule{relative: logits.relative + sumOf(float64(c.dim("N"))).relative + 2e-6, floor: lossScale}
	case "dh":
		return rule{relative: logits.relative + sumOf(float64(c.dim("V"))).relative + 2e-6, floor: lossScale}
	}
	return rule{relative: 2e-6 + logits.relative, floor: lossScale}
}
