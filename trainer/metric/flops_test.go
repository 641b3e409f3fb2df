package metric

import (
	"math"
	"testing"
)

// TestTrainingFLOPsGivesTheDesignsLimits recomputes the limits of the design's
// table: a step takes its operations at the machine's peak (460 GFLOP/s fp32,
// 930 bf16) plus 30 bytes a weight at 42 GB/s for AdamW. The table is rounded
// to two or three digits, so 3 % is allowed.
func TestTrainingFLOPsGivesTheDesignsLimits(t *testing.T) {
	const fp32, bf16 = 460e9, 930e9
	for _, c := range []struct {
		name                                string
		layers, width, vocabulary, sequence int
		batch                               int
		peak, limit                         float64
	}{
		{"124M B4 T64 fp32", 12, 768, 50257, 64, 4, fp32, 510},
		{"124M B4 T64 bf16", 12, 768, 50257, 64, 4, bf16, 870},
		{"124M B4 T256 fp32", 12, 768, 50257, 256, 4, fp32, 585},
		{"124M B4 T256 bf16", 12, 768, 50257, 256, 4, bf16, 1110},
		{"124M B2 T1024 bf16", 12, 768, 50257, 1024, 2, bf16, 1100},
		{"6x384 V50257 B8 T256 fp32", 6, 384, 50257, 256, 8, fp32, 2400},
		{"6x384 V256 B8 T256 fp32", 6, 384, 256, 256, 8, fp32, 6600},
		{"6x384 V256 B8 T256 bf16", 6, 384, 256, 256, 8, bf16, 12900},
	} {
		t.Run(c.name, func(t *testing.T) {
			weights := float64(12*c.layers*c.width*c.width + c.vocabulary*c.width)
			tokens := float64(c.batch * c.sequence)
			seconds := tokens*TrainingFLOPs(c.layers, c.width, c.vocabulary, c.sequence)/c.peak + weights*30/42e9
			if got := tokens / seconds; math.Abs(got/c.limit-1) > 0.03 {
				t.Errorf("limit is %.0f tokens/s, want %.0f", got, c.limit)
			}
		})
	}
}

func TestPeakShare(t *testing.T) {
	near(t, "share", PeakShare(500, 8e8, 1e12), 0.4)
	near(t, "share of an unknown peak", PeakShare(500, 8e8, 0), 0)
}
