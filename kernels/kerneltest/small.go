package kerneltest

import (
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

// Small are a few cases of k for a self-test that has no time: spread over its table, and the one with the most work.
func Small(k kernels.Kernel) []Case {
	var small []Case
	most, mostWork := 0, -1.0
	for _, c := range Cases(k) {
		work, fits := c.work()
		if !fits {
			continue
		}
		if work > mostWork {
			most, mostWork = len(small), work
		}
		small = append(small, c)
	}
	if len(small) <= smallCases {
		return small
	}
	spread := []Case{small[most]}
	for i := range smallCases - 1 {
		// Options come in turns in the table: even steps would find some of them only.
		if at := min(i*(len(small)-1)/(smallCases-2)+i%3, len(small)-1); at != most {
			spread = append(spread, small[at])
		}
	}
	return spread
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
