package optim

import (
	"strings"
	"testing"

	"atoll/kernels"
)

// TestLossScaleMoves as PyTorch's GradScaler does: halved at each overflow, doubled after the interval, counted anew after either.
func TestLossScaleMoves(t *testing.T) {
	l, s := LossScale{Scale: 8}, Scaling{First: 8, Interval: 3}
	for n, c := range []struct {
		overflowed bool
		want       LossScale
	}{
		{false, LossScale{8, 1, 0}}, {false, LossScale{8, 2, 0}}, {false, LossScale{16, 0, 0}}, {false, LossScale{16, 1, 0}},
		{true, LossScale{8, 0, 1}}, {true, LossScale{4, 0, 2}}, {false, LossScale{4, 1, 2}}, {false, LossScale{4, 2, 2}},
		{true, LossScale{2, 0, 3}}, {true, LossScale{1, 0, 4}},
	} {
		if err := l.Move(s, c.overflowed); err != nil || l != c.want {
			t.Fatalf("after step %d: %+v, %v; want %+v", n, l, err, c.want)
		}
	}
	err := l.Move(s, true)
	if err == nil || !strings.Contains(err.Error(), "below 1, after 5 skipped steps") || !strings.Contains(err.Error(), "--precision bf16") {
		t.Errorf("a scale that falls below 1: %v", err)
	}
	l = LossScale{Scale: largestScale}
	for range 2 * s.Interval {
		if err := l.Move(s, false); err != nil || l.Scale != largestScale {
			t.Errorf("the largest scale moves to %g, %v", l.Scale, err)
		}
	}
}

func TestLossScaleFill(t *testing.T) {
	step := make([]float32, kernels.StepSize)
	step[kernels.StepLossScale] = 0.3
	AdamW{Beta1: 0.9, Beta2: 0.9}.Fill(step, 1, 0)
	if step[kernels.StepInverseScale] != 1 {
		t.Errorf("without a scale its inverse is %g, want 1", step[kernels.StepInverseScale])
	}
	(&LossScale{Scale: 1024}).Fill(step)
	if step[kernels.StepLossScale] != float32(0.3)*1024 || step[kernels.StepInverseScale] != 1.0/1024 {
		t.Errorf("step vector %v", step)
	}
}
