package kerneltest

import (
	"math"

	"atoll/kernels"
)

func gradNormCases() []Case {
	var cases []Case
	for _, n := range append(counts(), 0, 70_001) {
		cases = append(cases, Case{Kernel: kernels.GradNorm, Dims: []int64{n}})
	}
	return append(cases,
		Case{Kernel: kernels.GradNorm, Dims: []int64{100}, Scale: map[string]float32{"grads": 1e25}}, // squares overflow fp32
		Case{Kernel: kernels.GradNorm, Dims: []int64{100}, Scale: map[string]float32{"grads": 1e-30}},
		Case{Kernel: kernels.GradNorm, Dims: []int64{5}, Fixed: map[string]float32{"grads": float32(math.NaN())}},
		Case{Kernel: kernels.GradNorm, Dims: []int64{70}, Fixed: map[string]float32{"grads": float32(math.Inf(1))}})
}

func adamWCases() []Case {
	settings := [][]float32{ // beta1, beta2, epsilon, decay, clip
		{0.9, 0.95, 1e-8, 0.1, 1}, {0.9, 0.999, 1e-8, 0, 0}, {0.8, 0.99, 1e-3, 0.5, 1000}, {0, 0, 1e-8, 0.1, 0.01},
	}
	var cases []Case
	for i, n := range counts() {
		cases = append(cases, Case{Kernel: kernels.AdamW, Dims: []int64{n}, Scalars: pick(settings, i)})
	}
	for _, arg := range []string{"norm", "loss"} {
		for _, value := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			cases = append(cases, Case{Kernel: kernels.AdamW, Dims: []int64{37}, Scalars: settings[0],
				Fixed: map[string]float32{arg: float32(value)}})
		}
	}
	cases = append(cases, scaledAdamWCases(settings)...)
	return append(cases, Case{Kernel: kernels.AdamW, Dims: []int64{33}, Scalars: settings[0],
		Fixed: map[string]float32{"grads": 0, "m": 0, "v": 0}})
}

// scaledAdamWCases are updates from gradients of a loss that was multiplied by a scale: with settings that clip, that do not,
// and that would if the norm were not unscaled; by a scale that is no power of two; and by one so large that the square of a
// gradient is not finite before it is unscaled. The last gradients overflowed.
func scaledAdamWCases(settings [][]float32) []Case {
	var cases []Case
	for i, scale := range []float32{1 << 16, 1 << 16, 1 << 16, 3, 1e30, 0.25} {
		cases = append(cases, Case{Kernel: kernels.AdamW, Dims: []int64{35}, Scalars: pick(settings, i), Inverse: 1 / scale,
			Scale: map[string]float32{"grads": scale, "norm": scale}})
	}
	infinite := float32(math.Inf(1))
	return append(cases, Case{Kernel: kernels.AdamW, Dims: []int64{35}, Scalars: settings[0], Inverse: 1.0 / (1 << 16),
		Fixed: map[string]float32{"grads": infinite, "norm": infinite}})
}
