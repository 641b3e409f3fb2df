package trainer

import (
	"fmt"
	"math"

	"atoll/kernels"
	"atoll/trainer/metric"
	"atoll/trainer/optim"
)

// scaled says whether the loss is multiplied by a scale: in fp16, whose gradients would be 0 without one.
func (r *run) scaled() bool { return r.env.Precision == kernels.F16 }

func (r *run) scaling() optim.Scaling {
	if r.env.scaling == (optim.Scaling{}) {
		return optim.DefaultScaling
	}
	return r.env.scaling
}

// fillScale puts the scale into the step vector, and makes it where the run has none yet.
func (r *run) fillScale(step []float32) {
	r.lastScale = 1
	if !r.scaled() {
		return
	}
	if r.state.LossScale == nil {
		r.state.LossScale = &optim.LossScale{Scale: r.scaling().First}
	}
	r.state.LossScale.Fill(step)
	r.lastScale = r.state.LossScale.Scale
}

// updates is how many of the run's steps have changed the weights: AdamW's corrections count those.
func (r *run) updates() int {
	if r.state.LossScale == nil {
		return r.state.Step
	}
	return r.state.Step - r.state.LossScale.Skipped
}

// loss is that of the last step, gradNorm its gradient's norm before clipping, both without the scale.
func (r *run) loss() float64     { return float64(r.store.Loss()) / r.lastScale }
func (r *run) gradNorm() float64 { return float64(r.store.GradNorm()) / r.lastScale }

// moveScale ends a step: a gradient that overflowed was skipped by the optimizer's kernel.
func (r *run) moveScale() error {
	if !r.scaled() {
		return nil
	}
	overflowed := !isFinite(r.gradNorm())
	err := r.state.LossScale.Move(r.scaling(), overflowed)
	if overflowed && err == nil {
		r.env.Progress.Print(fmt.Sprintf("step %d: skipped, its gradients overflow fp16 at loss scale %.0f; the scale is %.0f now", r.state.Step+1,
			r.lastScale, r.state.LossScale.Scale))
	}
	return err
}

// recordScale adds the scale that the step was made with to its record.
func (r *run) recordScale(record *metric.Record) {
	if !r.scaled() {
		return
	}
	scale, skipped := metric.Number(r.lastScale), metric.Number(r.state.LossScale.Skipped)
	record.LossScale, record.Skipped = &scale, &skipped
}

func isFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
