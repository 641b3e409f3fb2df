package lower

import (
	"slices"

	"atoll/engine/ir"
	"atoll/engine/op"
	"atoll/kernels"
)

// Chunk has each language head compute so many bytes of logits at one time, in even chunks of rows, in place of what its op said.
func Chunk(p ir.Program, bytes int64) ir.Program {
	out := p.Clone()
	for n := range out.Instrs {
		i := &out.Instrs[n]
		if i.Kernel != kernels.HeadLoss {
			continue
		}
		vocabulary := int(i.Dim("V"))
		rows := op.ChunkRows(int(i.Dim("N")), vocabulary, bytes)
		i.Dims[slices.Index(kernels.SignatureOf(i.Kernel).Dims, "R")] = int64(rows)
		out.Values[i.Arg("logits")].Shape = []int{rows, vocabulary}
	}
	return out
}
