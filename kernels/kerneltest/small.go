package kerneltest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"atoll/kernels"
	"atoll/kernels/ref"
)

// Bounds of a small case, which ref takes a few milliseconds for at most: operations of its products, and elements of its
// arguments.
const (
	smallOperations = 3_000_000
	smallElements   = 30_000
	smallCases      = 8 // of a kernel, in each of its precisions
)

// Small are a few cases of k for a self-test that has no time: the one with the most work, such as have an optional argument where
// those before had none or the other way round, and others spread over the table. The first is the smallest that computes something,
// then come those with the most work, since they have the most to show. None is beyond LargestFused, since any device may have a
// library's GELU.
func Small(k kernels.Kernel) []Case {
	var all []Case
	most, mostWork := 0, -1.0
	for _, c := range Cases(k) {
		work, fits := c.work()
		if !fits || c.beyondFused() {
			continue
		}
		if work > mostWork {
			most, mostWork = len(all), work
		}
		all = append(all, c)
	}
	if len(all) <= smallCases {
		return smallestFirst(all)
	}
	chosen, seen := map[int]bool{}, map[string]bool{}
	choose := func(i int) {
		chosen[i] = true
		for _, o := range all[i].options() {
			seen[o] = true
		}
	}
	choose(most)
	for i, c := range all {
		if len(chosen) < smallCases && slices.ContainsFunc(c.options(), func(o string) bool { return !seen[o] }) {
			choose(i)
		}
	}
	for i := 0; i < smallCases && len(chosen) < smallCases; i++ {
		choose(i * (len(all) - 1) / (smallCases - 1))
	}
	var small []Case
	for _, i := range slices.Sorted(maps.Keys(chosen)) {
		small = append(small, all[i])
	}
	return smallestFirst(small)
}

// smallestFirst puts the smallest case that has something to do in front of the others, which begin with the most work.
func smallestFirst(cases []Case) []Case {
	work := func(c Case) float64 { w, _ := c.work(); return w }
	slices.SortStableFunc(cases, func(a, b Case) int { return cmp.Compare(work(b), work(a)) })
	for i := len(cases) - 1; i > 0; i-- {
		if c := cases[i]; work(c) > 0 {
			return slices.Insert(slices.Delete(cases, i, i+1), 0, c)
		}
	}
	return cases
}

// options are the optional arguments that c has and those that it lacks.
func (c Case) options() []string {
	var options []string
	for _, arg := range kernels.SignatureOf(c.Kernel).Args {
		if arg.Optional {
			options = append(options, fmt.Sprint(arg.Name, c.absent(arg.Name)))
		}
	}
	return options
}

// work is a measure of how much a case has to do, and whether it is small.
func (c Case) work() (work float64, small bool) {
	call := c.call(kernels.F32)
	elements := int64(0)
	for i := range kernels.SignatureOf(c.Kernel).Args {
		n, err := call.Elements(i)
		if err != nil {
			return 0, false
		}
		elements += n
	}
	operations := call.Operations()
	return operations + float64(elements), elements <= smallElements && operations <= smallOperations
}

// Check runs one case on device, twice, and gives all that is wrong with what it did; nil where nothing is.
func Check(device kernels.Device, c Case, precision kernels.DType) []error {
	return check(device, ref.New(), c, precision)
}
