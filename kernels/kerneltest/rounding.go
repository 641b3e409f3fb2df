package kerneltest

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"atoll/kernels"
)

// roundedWeights says whether an output holds weights that adamw rounded to bf16: by chance, or to nearest in the words of adamw.packed.
func roundedWeights(c Case, name string) bool {
	return c.Kernel == kernels.AdamW && name == "weights" && !c.absent("seed") || updatedWords(c.Kernel, name)
}

// updatedWords says whether an output holds words of weights that were just updated. They differ from ref's as the weights do, and are compared as
// numbers; other words are compared bit by bit.
func updatedWords(k kernels.Kernel, name string) bool {
	return k == kernels.AdamWPacked && name == "packed"
}

// compareRounded holds rounded weights against ref's. Where the update in fp32, which may differ by limit, lies next to the number at which its
// random word turns from one bf16 number to the other, or next to the middle of the two where it is rounded to nearest, a device may choose the
// other one. So each element must be within limit and one unit of bf16 of ref's and, where ref's is, a bf16 number itself, and no more than one
// and a thousandth of them may differ.
func compareRounded(p placed, got, want []float32, limit float64) error {
	differ := 0
	for i := range got {
		if distance(got[i], want[i]) == 0 {
			continue
		}
		differ++
		if most := limit + unitBF16(want[i]); distance(got[i], want[i]) > most {
			return fmt.Errorf("%s%v is %v, want %v: off by %.3g, at most %.3g allowed (a unit of bf16 and the error of fp32)",
				p.name, coordinates(i, p.shape), got[i], want[i], distance(got[i], want[i]), most)
		}
		if isBF16(want[i]) && !isBF16(got[i]) {
			return fmt.Errorf("%s%v is %v, want a number of bf16, such as %v", p.name, coordinates(i, p.shape), got[i], want[i])
		}
	}
	if most := 1 + len(got)/1000; differ > most {
		return fmt.Errorf("%s: %d of %d elements are rounded to another bf16 number, at most %d allowed", p.name, differ, len(got), most)
	}
	return nil
}

func isBF16(x float32) bool { return math.Float32bits(x)&0xffff == 0 }

// unitBF16 is the distance between the bf16 numbers around x, the larger one at a power of two.
func unitBF16(x float32) float64 {
	const least = 1.0 / (1 << 126) // below it all have the same distance
	_, exponent := math.Frexp(math.Max(math.Abs(float64(x)), least))
	return math.Ldexp(1, exponent-8)
}

// Unbiased checks that weights which had the same update and were rounded to bf16 by chance are, in the mean, the update in fp32
// within six times the error of such a mean, and that another seed or salt rounds other ones up.
func Unbiased(t TB, device kernels.Device, options Options) {
	t.Helper()
	if !options.wants(kernels.AdamW) {
		return
	}
	const n = 1 << 16
	for _, weight := range []float32{0.7, -0.013, 1.00001, 3e-30} {
		c := Case{Kernel: kernels.AdamW, Dims: []int64{n, 3}, Scalars: []float32{0.9, 0.95, 1e-8, 0, 1}, Absent: []string{"seed"},
			Fixed: map[string]float32{"weights": weight, "grads": weight / 100, "m": 0, "v": weight * weight, "norm": 1}}
		wide, err := runOutput(device, c, makeInputs(c, kernels.F32))
		if err != nil {
			t.Errorf("%s %s: %v", device.Name(), c.Name(kernels.F32), err)
			continue
		}
		var seen [][]float32
		for _, other := range []struct{ seed, salt int64 }{{1, 3}, {2, 3}, {1, 4}} {
			rounded := c
			rounded.Absent, rounded.Dims, rounded.Fixed = nil, []int64{n, other.salt}, maps.Clone(c.Fixed)
			rounded.Fixed["seed"] = float32(other.seed)
			weights, err := runOutput(device, rounded, makeInputs(rounded, kernels.F32))
			if err == nil {
				err = unbiased(weights, wide[0])
			}
			if slices.ContainsFunc(seen, func(x []float32) bool { return slices.Equal(x, weights) }) {
				err = fmt.Errorf("another seed or salt gave the same weights: want others")
			}
			if err != nil {
				t.Errorf("%s %s: %v", device.Name(), rounded.Name(kernels.F32), err)
			}
			seen = append(seen, weights)
		}
	}
}

// unbiased holds the mean of weights against what they were rounded from. Each is one of the two bf16 numbers around it, with the
// probability of its distance from the other.
func unbiased(weights []float32, from float32) error {
	low := math.Float32frombits(math.Float32bits(from) &^ 0xffff)
	high := math.Float32frombits(math.Float32bits(low) + 1<<16)
	sum := 0.0
	for i, w := range weights {
		if w != low && w != high {
			return fmt.Errorf("weights[%d] is %v, rounded from %v: want %v or %v", i, w, from, low, high)
		}
		sum += float64(w)
	}
	unit := float64(high) - float64(low)
	up := (float64(from) - float64(low)) / unit
	mean, most := sum/float64(len(weights)), 6*math.Abs(unit)*math.Sqrt(up*(1-up)/float64(len(weights)))
	if !(math.Abs(mean-float64(from)) <= most) {
		return fmt.Errorf("the mean of %d weights is %v, rounded from %v: off by %.3g, at most %.3g allowed (6 times its standard error)",
			len(weights), mean, from, math.Abs(mean-float64(from)), most)
	}
	return nil
}
