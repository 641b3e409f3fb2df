package lower_test

import (
	"testing"

	"gorgonia.org/gorgonia"

	"atoll/engine/ir"
	"atoll/engine/lower"
	"atoll/engine/op"
	"atoll/kernels"
)

// A head of 10 rows and 1,000 logits each computes as many rows at a time as fit, in even chunks, and its logits have that shape.
func TestChunk(t *testing.T) {
	g := op.NewGraph()
	h, wte := g.Param("h", 10, 4), g.Param("wte", 1000, 4)
	targets, step := g.Input("targets", kernels.I32, 2, 5), g.Input(ir.StepInput, kernels.F32, kernels.StepSize)
	g.Loss = gorgonia.Must(op.HeadLoss(h, wte, targets, step))
	if err := g.Differentiate("h", "wte"); err != nil {
		t.Fatal(err)
	}
	list, err := lower.Graph(g)
	if err != nil {
		t.Fatal(err)
	}
	for bytes, want := range map[int64]int64{1: 1, 4000: 1, 8000: 2, 16000: 4, 24000: 5, 36000: 5, 40000: 10, 1 << 40: 10} {
		p := lower.Chunk(list, bytes)
		if err := ir.Verify(p); err != nil {
			t.Errorf("%d bytes: %v", bytes, err)
		}
		for _, i := range p.Instrs {
			if i.Kernel == kernels.HeadLoss && i.Dims[3] != want {
				t.Errorf("%d bytes: chunks of %d rows, want %d", bytes, i.Dims[3], want)
			}
		}
	}
	if op.ChunkRows(0, 7, 100) != 0 {
		t.Error("no rows have a chunk")
	}
}
