package lower

import (
	"slices"

	"atoll/engine/ir"
	"atoll/engine/op"
	"atoll/kernels"
)

// wholeRows is what rows of a chunk are rounded up to where they fit: for 4,682 rows cublasLt has slower algorithms than for 4,864.
const wholeRows = 256

// Chunk has each language head compute so many bytes of logits at one time, in chunks of rows that are about even, in place of what its
// op said.
func Chunk(p ir.Program, bytes int64) ir.Program {
	out := p.Clone()
	for n := range out.Instrs {
		i := &out.Instrs[n]
		if i.Kernel != kernels.HeadLoss {
			continue
		}
		vocabulary := int(i.Dim("V"))
		rows := op.ChunkRows(int(i.Dim("N")), vocabulary, bytes)
		if whole := (rows + wholeRows - 1) / wholeRows * wholeRows; whole < int(i.Dim("N")) && int64(whole*op.LogitsStride(vocabulary)*4) <= bytes {
			rows = whole
		}
		i.Dims[slices.Index(kernels.SignatureOf(i.Kernel).Dims, "R")] = int64(rows)
		out.Values[i.Arg("logits")].Shape = []int{rows, op.LogitsStride(vocabulary)}
	}
	return out
}
