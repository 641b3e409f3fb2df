package optim

import (
	"fmt"

	"atoll/kernels"
)

// Scaling is how the scale of the loss moves in fp16 training. Half precision holds nothing between 0 and 6e-8, where many
// gradients of activations lie, so the loss is multiplied by a scale and the gradients divided by it again (Micikevicius et
// al. 2018). The scale is halved when a gradient overflows, and doubled after a run of steps without one.
type Scaling struct {
	First    float64 // scale of the first step, a power of two
	Interval int     // steps without an overflow after which the scale is doubled
}

// DefaultScaling has the numbers of PyTorch's GradScaler.
var DefaultScaling = Scaling{First: 1 << 16, Interval: 2000}

// The scale stays between these. A loss below 1e26 is finite when it is multiplied by the largest: what is not finite then was
// not before.
const (
	smallestScale = 1
	largestScale  = 1 << 40
)

// LossScale is the scale and what moves it, as a checkpoint holds it.
type LossScale struct {
	Scale   float64 `json:"scale"`         // a power of two: multiplying by it and dividing again changes no bit
	Good    int     `json:"good_steps"`    // since the scale was last changed
	Skipped int     `json:"skipped_steps"` // since the run began
}

// Fill lets the step's loss be multiplied by the scale and the update unscale the gradients. The places of the step vector
// that other functions fill must hold their values.
func (l *LossScale) Fill(step []float32) {
	step[kernels.StepLossScale] *= float32(l.Scale)
	step[kernels.StepInverseScale] = float32(1 / l.Scale)
}

// Move is called after each step and says whether its gradients overflowed, in which case the update was left out. The error
// is that of a scale that falls too low.
func (l *LossScale) Move(s Scaling, overflowed bool) error {
	l.Good++
	switch {
	case overflowed:
		l.Scale, l.Good = l.Scale/2, 0
		l.Skipped++
	case l.Good >= s.Interval:
		l.Scale, l.Good = min(2*l.Scale, largestScale), 0
	}
	if l.Scale < smallestScale {
		return fmt.Errorf("gradients overflow fp16 without any scaling (the loss scale fell below %d, after %d skipped steps): "+
			"train with --precision bf16 or fp32, or with a lower --lr; the weights are as before the first of these steps", smallestScale, l.Skipped)
	}
	return nil
}
