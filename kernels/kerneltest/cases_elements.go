package kerneltest

import (
	"math"

	"atoll/kernels"
)

// counts of elements; the last is more than one thread's share.
func counts() []int64 {
	return []int64{1, 2, 3, 15, 16, 17, 31, 33, 64, 1000, 4099, 20011}
}

// inPlace is c with each aliasing that its kernel allows; an aliased argument must be present.
func inPlace(c Case) []Case {
	var cases []Case
	for _, alias := range kernels.Aliases(c.Kernel) {
		if !c.absent(alias.Read) {
			aliased := c
			aliased.Alias = alias
			cases = append(cases, aliased)
		}
	}
	return cases
}

// huge is c once for each of some values of the named argument, in the precisions that hold it: so far from 0 that the square or
// the cube of what goes into a GELU overflows, and no number at all.
func huge(c Case, arg string) []Case {
	const largestF16 = 65504
	var cases []Case
	for _, value := range []float32{6e4, -6e4, 1e10, -1e10, 1e19, -1e19, 3e38, -3e38, float32(math.NaN())} {
		at := c
		at.Fixed = map[string]float32{arg: value}
		if value > largestF16 || value < -largestF16 {
			at.In = []kernels.DType{kernels.F32, kernels.BF16}
		}
		cases = append(cases, at)
	}
	return cases
}

// geluCases are those of an elementwise kernel and more: far from 0, GELU is its argument or 0, and its derivative 1 or 0.
func geluCases(k kernels.Kernel) []Case {
	return append(elementwiseCases(k), huge(Case{Kernel: k, Dims: []int64{37}}, "pre")...)
}

func elementwiseCases(k kernels.Kernel) []Case {
	var cases []Case
	for _, n := range counts() {
		c := Case{Kernel: k, Dims: []int64{n}}
		cases = append(cases, c)
		if n < 5000 {
			cases = append(cases, inPlace(c)...)
		}
	}
	return cases
}

func dropoutCases() []Case {
	probabilities := []float32{0.1, 0.5, 0, 0.9}
	var cases []Case
	for i, n := range counts() {
		for _, absent := range [][]string{nil, {"res"}} {
			c := Case{Kernel: kernels.Dropout, Dims: []int64{n, int64(i)}, Scalars: []float32{pick(probabilities, i)}, Absent: absent}
			cases = append(cases, c)
			if n < 5000 {
				cases = append(cases, inPlace(c)...)
			}
		}
	}
	return cases
}
