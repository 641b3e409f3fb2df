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

func gradNormRestCases() []Case {
	var cases []Case
	for i, n := range append(counts(), 0, 70_001) {
		cases = append(cases, Case{Kernel: kernels.GradNormRest, Dims: []int64{n, pick([]int64{1, 0, 5, 49}, i)}})
	}
	rest := func(norms, grads float32) Case {
		return Case{Kernel: kernels.GradNormRest, Dims: []int64{100, 3}, Fixed: map[string]float32{"norms": norms, "grads": grads}}
	}
	return append(cases, rest(1e25, 1), rest(1, 1e25), rest(1e-30, 1e-30), rest(0, 0),
		rest(float32(math.NaN()), 1), rest(float32(math.Inf(1)), 1), rest(1, float32(math.NaN())))
}

// adamWSettings are beta1, beta2, epsilon, decay, clip.
func adamWSettings() [][]float32 {
	return [][]float32{{0.9, 0.95, 1e-8, 0.1, 1}, {0.9, 0.999, 1e-8, 0, 0}, {0.8, 0.99, 1e-3, 0.5, 1000}, {0, 0, 1e-8, 0.1, 0.01}}
}

func adamWCases() []Case {
	settings := adamWSettings()
	var cases []Case
	for i, n := range counts() {
		c := Case{Kernel: kernels.AdamW, Dims: []int64{n, 0}, Scalars: pick(settings, i), Absent: []string{"seed"}}
		cases = append(cases, c)
		c.Dims, c.Absent = []int64{n, int64(i)}, nil
		cases = append(cases, c)
	}
	for _, arg := range []string{"norm", "loss"} {
		for _, value := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			for _, absent := range [][]string{{"seed"}, nil} {
				cases = append(cases, Case{Kernel: kernels.AdamW, Dims: []int64{37, 1}, Scalars: settings[0], Absent: absent,
					Fixed: map[string]float32{arg: float32(value)}})
			}
		}
	}
	cases = append(cases, scaledAdamWCases(settings)...)
	cases = append(cases, roundedAdamWCases(settings[1])...)
	cases = append(cases, infiniteAdamWCases(settings[:2])...)
	return append(cases, Case{Kernel: kernels.AdamW, Dims: []int64{33, 0}, Scalars: settings[0], Absent: []string{"seed"},
		Fixed: map[string]float32{"grads": 0, "m": 0, "v": 0}})
}

// roundedAdamWCases are weights, without decay and gradient, whose rounding by chance has something to look out for: those that are
// bf16 numbers and stay, those at the end of fp32 that must not become infinite, those next to 0, and no numbers.
func roundedAdamWCases(setting []float32) []Case {
	var cases []Case
	for _, weight := range []float32{0, 1, -0.5, math.MaxFloat32, -math.MaxFloat32, 3e38, 1e-39, -1e-41, float32(math.NaN())} {
		cases = append(cases, Case{Kernel: kernels.AdamW, Dims: []int64{77, 1 << 31}, Scalars: setting,
			Fixed: map[string]float32{"weights": weight, "grads": 0, "m": 0}})
	}
	return cases
}

// infiniteAdamWCases are weights that are infinite already: they stay so with decay and without it, and do not turn into NaN.
func infiniteAdamWCases(settings [][]float32) []Case {
	var cases []Case
	for _, setting := range settings {
		for _, sign := range []int{1, -1} {
			for _, absent := range [][]string{{"seed"}, nil} {
				cases = append(cases, Case{Kernel: kernels.AdamW, Dims: []int64{39, 1}, Scalars: setting, Absent: absent,
					Fixed: map[string]float32{"weights": float32(math.Inf(sign))}})
			}
		}
	}
	return cases
}

// scaledAdamWCases are updates from gradients of a loss that was multiplied by a scale: with settings that clip, that do not,
// and that would if the norm were not unscaled; by a scale that is no power of two; and by one so large that the square of a
// gradient is not finite before it is unscaled. The last gradients overflowed.
func scaledAdamWCases(settings [][]float32) []Case {
	var cases []Case
	for i, scale := range []float32{1 << 16, 1 << 16, 1 << 16, 3, 1e30, 0.25} {
		cases = append(cases, Case{Kernel: kernels.AdamW, Dims: []int64{35, 0}, Scalars: pick(settings, i), Absent: []string{"seed"}, Inverse: 1 / scale,
			Scale: map[string]float32{"grads": scale, "norm": scale}})
	}
	infinite := float32(math.Inf(1))
	return append(cases, Case{Kernel: kernels.AdamW, Dims: []int64{35, 0}, Scalars: settings[0], Absent: []string{"seed"}, Inverse: 1.0 / (1 << 16),
		Fixed: map[string]float32{"grads": infinite, "norm": infinite}})
}
