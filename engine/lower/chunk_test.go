package lower_test

import (
	"testing"

	"gorgonia.org/gorgonia"

	"atoll/engine/ir"
	"atoll/engine/lower"
	"atoll/engine/op"
	"atoll/kernels"
)

// A head computes as many rows at a time as fit, in chunks that are even but for a rounding to 32 and to 256, and its logits have that shape.
func TestChunk(t *testing.T) {
	testChunk(t, 10, 1000, map[int64]int64{1: 1, 4096: 1, 8192: 2, 16384: 4, 24576: 5, 40000: 5, 40960: 10, 1 << 40: 10})
	testChunk(t, 1000, 10, map[int64]int64{4 * 64 * 31: 31, 4 * 64 * 60: 32, 4 * 64 * 345: 320, 4 * 64 * 400: 352, 4 * 64 * 511: 480, 4 * 64 * 512: 512,
		4 * 64 * 999: 512, 4 * 64 * 1000: 1000})
	if op.ChunkRows(0, 7, 100) != 0 {
		t.Error("no rows have a chunk")
	}
}

// testChunk wants chunks of so many rows for so many bytes.
func testChunk(t *testing.T, rows, vocabulary int, wants map[int64]int64) {
	t.Helper()
	g := op.NewGraph()
	h, wte := g.Param("h", rows, 4), g.Param("wte", vocabulary, 4)
	targets, step := g.Input("targets", kernels.I32, 2, rows/2), g.Input(ir.StepInput, kernels.F32, kernels.StepSize)
	g.Loss = gorgonia.Must(op.HeadLoss(h, wte, targets, step))
	if err := g.Differentiate("h", "wte"); err != nil {
		t.Fatal(err)
	}
	list, err := lower.Graph(g)
	if err != nil {
		t.Fatal(err)
	}
	for bytes, want := range wants {
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
}
