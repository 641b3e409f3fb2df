package ref

import (
	"math"

	"atoll/kernels"
)

// GradNorm is the Euclidean norm of all grads.
func GradNorm(grads ...[]float32) float32 {
	sum := 0.0
	for _, some := range grads {
		for _, g := range some {
			sum += float64(g) * float64(g)
		}
	}
	return float32(math.Sqrt(sum))
}

// AdamWSettings are the constants of an update and the numbers of its step.
type AdamWSettings struct {
	Beta1, Beta2, Epsilon, Decay float32
	Clip                         float32 // largest norm of the gradient; 0: no clipping
	LearningRate                 float32
	Correction1, Correction2     float32 // 1 - beta1^t, 1 - beta2^t
	InverseScale                 float32 // 1 / what the loss was multiplied by
	Seed                         []int32 // 2 numbers, the key of the random words that round weights to bf16; nil: they stay fp32
	Salt                         int     // names the words of this call
}

// AdamW is one update as PyTorch's AdamW makes it after clip_grad_norm_:
//
//	g = grads*InverseScale * min(1, Clip/(norm*InverseScale+1e-6))    the second factor where Clip > 0
//	w = w - LearningRate*Decay*w
//	m = Beta1*m + (1-Beta1)*g,  v = Beta2*v + (1-Beta2)*g*g
//	w = w - LearningRate * (m/Correction1) / (sqrt(v/Correction2) + Epsilon)
//
// With a Seed the new weight, as fp32 has it, goes through RoundByChance with its element's Word. An update too small for bf16 is
// then made now and then as a whole, in the right number of steps, where rounding to nearest would never make it.
//
// norm is that of all gradients of the model, scaled as they are. Where norm or loss is not finite nothing is changed.
func AdamW(weights, m, v, grads []float32, norm, loss float32, s AdamWSettings) {
	if !finite(norm) || !finite(loss) {
		return
	}
	factor := float64(s.InverseScale)
	if s.Clip > 0 {
		factor *= math.Min(1, float64(s.Clip)/(float64(norm)*float64(s.InverseScale)+1e-6))
	}
	rate, beta1, beta2 := float64(s.LearningRate), float64(s.Beta1), float64(s.Beta2)
	for i := range weights {
		g := float64(grads[i]) * factor
		first := beta1*float64(m[i]) + (1-beta1)*g
		second := beta2*float64(v[i]) + (1-beta2)*g*g
		w := float64(weights[i]) * (1 - rate*float64(s.Decay))
		w -= rate * (first / float64(s.Correction1)) / (math.Sqrt(second/float64(s.Correction2)) + float64(s.Epsilon))
		weights[i], m[i], v[i] = float32(w), float32(first), float32(second)
		if s.Seed != nil {
			weights[i] = RoundByChance(weights[i], Word(s.Seed, s.Salt, uint64(i)))
		}
	}
}

func finite(x float32) bool { return !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0) }

func runGradNorm(a *arguments) error {
	a.float("norm")[0] = GradNorm(a.float("grads"))
	return nil
}

// runGradNormRest: the norm of a vector is that of its parts' norms.
func runGradNormRest(a *arguments) error {
	a.float("norm")[0] = GradNorm(a.float("norms"), a.float("grads"))
	return nil
}

// adamW are the settings of a call, without its rounding.
func (a *arguments) adamW() AdamWSettings {
	return AdamWSettings{Beta1: a.scalar("beta1"), Beta2: a.scalar("beta2"), Epsilon: a.scalar("epsilon"), Decay: a.scalar("decay"),
		Clip: a.scalar("clip"), LearningRate: a.step(kernels.StepLearningRate),
		Correction1: a.step(kernels.StepCorrection1), Correction2: a.step(kernels.StepCorrection2),
		InverseScale: a.step(kernels.StepInverseScale)}
}

func runAdamW(a *arguments) error {
	s := a.adamW()
	s.Seed, s.Salt = a.int("seed"), a.dim("salt")
	AdamW(a.float("weights"), a.float("m"), a.float("v"), a.float("grads"), a.float("norm")[0], a.float("loss")[0], s)
	return nil
}
