package kerneltest

import "atoll/kernels"

// Cases is the table of one kernel.
func Cases(k kernels.Kernel) []Case {
	switch k {
	case kernels.Embed:
		return embedCases()
	case kernels.EmbedBackward, kernels.EmbedBackwardNorm:
		return embedBackwardCases(k)
	case kernels.LayerNorm:
		return layerNormCases()
	case kernels.LayerNormBackward:
		return layerNormBackwardCases()
	case kernels.Linear:
		return linearCases()
	case kernels.Pack:
		return packCases()
	case kernels.LinearPacked:
		return linearPackedCases()
	case kernels.LinearDXPacked:
		return linearDXPackedCases()
	case kernels.AdamWPacked:
		return adamWPackedCases()
	case kernels.LinearDX:
		return linearDXCases()
	case kernels.LinearDW, kernels.LinearDWNorm:
		return linearDWCases(k)
	case kernels.Attention, kernels.AttentionBackward:
		return attentionCases(k)
	case kernels.AttentionCached:
		return attentionCachedCases()
	case kernels.Add:
		return elementwiseCases(k)
	case kernels.GELUBackward, kernels.GELU:
		return geluCases(k)
	case kernels.Dropout:
		return dropoutCases()
	case kernels.HeadLoss, kernels.HeadLossNorm:
		return headLossCases(k)
	case kernels.Pool, kernels.PoolBackward:
		return poolCases(k)
	case kernels.ClassLoss, kernels.BinaryLoss:
		return lossCases(k)
	case kernels.GradNorm:
		return gradNormCases()
	case kernels.GradNormRest:
		return gradNormRestCases()
	case kernels.AdamW:
		return adamWCases()
	}
	return nil
}

// storing is a Mode with step[StepAccumulate], which ByStep looks at.
type storing struct {
	mode int64
	step float32
}

// storings are all ways to store a gradient.
func storings() []storing {
	return []storing{{kernels.Overwrite, 0}, {kernels.Accumulate, 0}, {kernels.ByStep, 0}, {kernels.ByStep, 1}}
}

// pick is element i of list, which begins again after its end: it spreads options over shapes.
func pick[E any](list []E, i int) E { return list[i%len(list)] }
