// Package ref is the specification of every kernel in code: the plainest Go loop for each, with sums in float64.
//
// The exported functions take []float32 and []int32 of the shapes in the signature table of package kernels; an absent
// optional argument is nil. They assume what kernels.Call.Check and the data checks of Run have made sure of. Run takes
// one call with its memory, and New gives a kernels.Device, so that whole programs run on ref. Faults in the data
// (a token that is not below V, and the like) come back as *kernels.Fault and leave the outputs unspecified.
//
// Precision: arguments of class Act are widened to float32 when they are read and rounded to nearest, ties to even, when
// they are written. In bf16 and fp16 every operand of a matrix product is rounded to the precision first: weights,
// softmax probabilities, and the gradients of scores and of logits. So is what goes into a GELU. Everything else stays wide.
package ref

import (
	"fmt"

	"atoll/kernels"
)

// runners is data, read only: how each kernel is called with the arguments of a Call.
var runners = [kernels.Count]func(*arguments) error{
	kernels.Embed:             runEmbed,
	kernels.EmbedBackward:     runEmbedBackward,
	kernels.LayerNorm:         runLayerNorm,
	kernels.LayerNormBackward: runLayerNormBackward,
	kernels.Linear:            runLinear,
	kernels.LinearDX:          runLinearDX,
	kernels.LinearDW:          runLinearDW,
	kernels.Attention:         runAttention,
	kernels.AttentionBackward: runAttentionBackward,
	kernels.AttentionCached:   runAttentionCached,
	kernels.Add:               runAdd,
	kernels.Dropout:           runDropout,
	kernels.HeadLoss:          runHeadLoss,
	kernels.Pool:              runPool,
	kernels.PoolBackward:      runPoolBackward,
	kernels.ClassLoss:         runClassLoss,
	kernels.BinaryLoss:        runBinaryLoss,
	kernels.GradNorm:          runGradNorm,
	kernels.AdamW:             runAdamW,
	kernels.GELUBackward:      runGELUBackward,
	kernels.GELU:              runGELU,
	kernels.Pack:              runPack,
	kernels.LinearPacked:      runLinearPacked,
	kernels.LinearDWNorm:      runLinearDWNorm,
	kernels.GradNormRest:      runGradNormRest,
	kernels.LinearDXPacked:    runLinearDXPacked,
	kernels.AdamWPacked:       runAdamWPacked,
	kernels.HeadLossNorm:      runHeadLossNorm,
	kernels.EmbedBackwardNorm: runEmbedBackwardNorm,
}

// Run executes one call on the memory of its segments, which must be aligned to 4 bytes. An error that is not a
// *kernels.Fault means that the call itself breaks the signature table.
func Run(call *kernels.Call, segments [][]byte) error {
	sizes := make([]int64, len(segments))
	for i, s := range segments {
		sizes[i] = int64(len(s))
	}
	if err := call.Check(sizes); err != nil {
		return err
	}
	a, err := load(call, segments)
	if err != nil {
		return err
	}
	if err := runners[call.Kernel](a); err != nil {
		return err
	}
	return a.store()
}

// fault is a *kernels.Fault of the kernel; the program that holds the call fills in its index.
func fault(k kernels.Kernel, format string, values ...any) error {
	return &kernels.Fault{Kernel: k, Message: fmt.Sprintf(format, values...)}
}
