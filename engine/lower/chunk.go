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
		s := kernels.SignatureOf(kernels.HeadLoss)
		rows, vocabulary, chunk := slices.Index(s.Dims, "N"), slices.Index(s.Dims, "V"), slices.Index(s.Dims, "R")
		size := op.ChunkRows(int(i.Dims[rows]), int(i.Dims[vocabulary]), bytes)
		i.Dims[chunk] = int64(size)
		logits := i.Args[slices.IndexFunc(s.Args, func(a kernels.Arg) bool { return a.Name == "logits" })]
		out.Values[logits].Shape = []int{size, int(i.Dims[vocabulary])}
	}
	return out
}
