package kerneltest

import "atoll/kernels"

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
