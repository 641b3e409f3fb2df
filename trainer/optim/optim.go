// Package optim is the optimizer as instructions: the gradient's norm and AdamW with clipping (Loshchilov and Hutter
// 2019), appended to a model's list, and the schedule of the learning rate.
//
// It takes the slots of a store and gives an ir.Program over the store's flat memory; nothing is computed here.
package optim

import (
	"fmt"
	"math"

	"atoll/engine/ir"
	"atoll/kernels"
)

// AdamW holds the settings that stay the same for all steps.
type AdamW struct {
	Beta1, Beta2 float32 // decay of the mean and of the uncentred variance of the gradient; at least 0 and below 1
	Epsilon      float32 // added to the root of the variance; above 0
	Decay        float32 // decoupled weight decay of tensors of rank 2 and more; 0 for none
	Clip         float32 // largest norm of the gradient; 0 for no clipping
	Rounding     bool    // updated weights are rounded to bf16 numbers, up or down by chance: see kernels/ref
}

// roundingSalt names the random numbers of the first range's rounding, and the following ones those of the others. Dropouts count
// from 0.
const roundingSalt = 1 << 31

// Validate names the first setting that is out of bounds.
func (a AdamW) Validate() error {
	for _, s := range []struct {
		name   string
		value  float32
		ok     bool
		wanted string
	}{
		{"beta1", a.Beta1, a.Beta1 >= 0 && a.Beta1 < 1, "at least 0 and below 1"},
		{"beta2", a.Beta2, a.Beta2 >= 0 && a.Beta2 < 1, "at least 0 and below 1"},
		{"epsilon", a.Epsilon, a.Epsilon > 0, "above 0"},
		{"weight decay", a.Decay, a.Decay >= 0, "at least 0"},
		{"clip", a.Clip, a.Clip >= 0, "at least 0 (0: no clipping)"},
	} {
		if !s.ok || math.IsInf(float64(s.value), 0) {
			return fmt.Errorf("%s is %g, want %s", s.name, s.value, s.wanted)
		}
	}
	return nil
}

// Update gives the list of one update of the given ranges in flat memory of elements weights and gradElements gradients:
// the norm of all gradients, then AdamW over each range. Where the loss or the norm is not finite, the kernel leaves
// everything as it was.
func (a AdamW) Update(ranges []ir.Range, elements, gradElements int64) (ir.Program, error) {
	b := ir.NewBuilder()
	flat := func(name string, kind ir.Kind, elements int64) ir.ID {
		return b.Value(ir.Value{Name: name, Kind: kind, Shape: []int{int(elements)}})
	}
	weights, grads := flat(ir.FlatWeights, ir.Param, elements), flat(ir.FlatGrads, ir.Grad, gradElements)
	m, v := flat(ir.FlatMoment1, ir.State, gradElements), flat(ir.FlatMoment2, ir.State, gradElements)
	norm := b.Value(ir.Value{Name: ir.GradNorm, Kind: ir.Output})
	loss := b.Value(ir.Value{Name: ir.Loss, Kind: ir.Input})
	step := b.Value(ir.Value{Name: ir.StepInput, Kind: ir.Input, Shape: []int{kernels.StepSize}})
	seed := ir.None
	if a.Rounding {
		seed = b.Value(ir.Value{Name: ir.SeedInput, Kind: ir.Input, DType: kernels.I32, Shape: []int{2}})
	}
	b.Emit(kernels.GradNorm, ir.Args{"norm": norm, "grads": grads}, ir.Dims{"N": int(gradElements)})
	for n, r := range ranges {
		decay := float32(0)
		if r.Decay {
			decay = a.Decay
		}
		args := ir.Args{"weights": weights, "m": m, "v": v, "grads": grads, "norm": norm, "loss": loss, "step": step}
		dims := ir.Dims{"N": int(r.Length)}
		if a.Rounding {
			args["seed"], dims["salt"] = seed, roundingSalt+n
		}
		b.Emit(kernels.AdamW, args, dims, a.Beta1, a.Beta2, a.Epsilon, decay, a.Clip)
		b.View(ir.Views{"weights": r.First, "m": r.FirstGrad, "v": r.FirstGrad, "grads": r.FirstGrad})
	}
	return b.Program()
}

// Fill sets the places of the step vector that the update reads: the learning rate and the bias corrections of a step,
// counted from 0. The loss has no scale then: a LossScale is filled in afterwards.
func (a AdamW) Fill(step []float32, rate float64, number int) {
	t := float64(number + 1)
	step[kernels.StepLearningRate] = float32(rate)
	step[kernels.StepCorrection1] = float32(1 - math.Pow(float64(a.Beta1), t))
	step[kernels.StepCorrection2] = float32(1 - math.Pow(float64(a.Beta2), t))
	step[kernels.StepInverseScale] = 1
}
