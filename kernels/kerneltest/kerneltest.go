// Package kerneltest holds every implementation of the kernels against kernels/ref with one table of cases.
//
// Run takes a device and reports, for each case: outputs further from ref than the case's rule allows, inputs that
// changed, bytes written outside of an argument, and a second run that gives other bits (without a shift). SameBits holds two devices (one
// of 1 thread and one of 2, say) against each other bit by bit. Faults checks that wrong data is answered with a
// *kernels.Fault that names what is wrong and where. Padding checks that a padded sequence gives the bits of the sequence
// alone. Unbiased checks that rounding by chance has the right mean.
// TF32 is Run for products that round to TF32.
//
// In fp32 an output may differ from ref by a share of the tensor's largest magnitude that rules.go states per kernel. In
// bf16 and fp16 FlashAttention's rule holds: the largest error, against fp32 arithmetic on the same inputs, is at most
// twice that of ref in the same precision, plus one rounding of the largest magnitude (of outputs that are stored in half
// precision) and what the fp32 rule allows.
package kerneltest

import (
	"bytes"
	"fmt"
	"slices"

	"atoll/kernels"
	"atoll/kernels/ref"
)

// TB is what the package needs of *testing.T.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
}

// Options narrow the table for a device that is not finished.
type Options struct {
	Only  []kernels.Kernel // empty: all
	Lacks []kernels.DType  // precisions that the device does not have
	Shift int              // elements by which arguments are off the alignment of buffers
	// FusedGELU is for products whose GELU is a library's: the cases beyond LargestFused are left out.
	FusedGELU bool
}

// LargestFused is how far from 0 cublasLt's GELU within a product of bf16 is held against ref. Its derivative takes the square, is right at
// 2e19 and no number at 1e25; the GELU doubles its argument, and is infinite at 3e38 (bench/results/gpu-2026-11-26-nvidia-h200-products.md).
const LargestFused = 1e19

// Run holds device against ref on the whole table.
func Run(t TB, device kernels.Device, options Options) {
	t.Helper()
	oracle := ref.New()
	options.each(func(c Case, precision kernels.DType) {
		runCase(t, device, oracle, c, precision)
	})
}

// runCase reports all that is wrong with a device's results on one case.
func runCase(t TB, device, oracle kernels.Device, c Case, precision kernels.DType) {
	t.Helper()
	for _, problem := range check(device, oracle, c, precision) {
		t.Errorf("%s %s: %v", device.Name(), c.Name(precision), problem)
	}
}

// SameBits runs the table on two devices and reports outputs that differ in any bit.
func SameBits(t TB, a, b kernels.Device, options Options) {
	t.Helper()
	options.each(func(c Case, precision kernels.DType) {
		for _, problem := range sameBits(a, b, c, precision) {
			t.Errorf("%s: %v", c.Name(precision), problem)
		}
	})
}

func sameBits(a, b kernels.Device, c Case, precision kernels.DType) []error {
	l, err := newLayout(c, precision, makeInputs(c, precision))
	if err != nil {
		return []error{err}
	}
	resultA, errA := execute(a, l, 1)
	resultB, errB := execute(b, l, 1)
	if errA != nil || errB != nil {
		return []error{fmt.Errorf("%s gives error %v, %s gives %v", a.Name(), errA, b.Name(), errB)}
	}
	var problems []error
	for _, name := range l.differing(resultA[0], resultB[0]) {
		problems = append(problems, fmt.Errorf("argument %s differs between %s (%s) and %s (%s): want the same bits", name,
			a.Name(), a.Describe(), b.Name(), b.Describe()))
	}
	return problems
}

// wants says whether the options leave the kernel.
func (o Options) wants(k kernels.Kernel) bool {
	return len(o.Only) == 0 || slices.Contains(o.Only, k)
}

// each visits the cases that the options leave, in each precision.
func (o Options) each(visit func(c Case, precision kernels.DType)) {
	for k := range kernels.Count {
		if !o.wants(k) {
			continue
		}
		for _, c := range Cases(k) {
			c.Shift = o.Shift
			if o.FusedGELU && c.beyondFused() {
				continue
			}
			for _, precision := range c.Precisions() {
				if !slices.Contains(o.Lacks, precision) {
					visit(c, precision)
				}
			}
		}
	}
}

// beyondFused says whether a case puts into a product's GELU what a library's does not take.
func (c Case) beyondFused() bool {
	if c.Kernel != kernels.Linear && c.Kernel != kernels.LinearDX {
		return false
	}
	for _, value := range c.Fixed {
		if value > LargestFused || value < -LargestFused {
			return true
		}
	}
	return false
}

// check runs one case on device, twice, and gives all that is wrong with the results.
func check(device, oracle kernels.Device, c Case, precision kernels.DType) []error {
	values := makeInputs(c, precision)
	return checkResults(device, c, precision, values, func(l *layout) (want, exact [][]float32, err error) {
		return expected(oracle, c, l, values)
	}, compare)
}

// checkResults is check with what results are expected, and how an output is held against them.
func checkResults(device kernels.Device, c Case, precision kernels.DType, values *inputs, expect func(l *layout) (want, exact [][]float32, err error),
	compare func(c Case, l *layout, i int, got, want, exact []float32) error) []error {
	l, err := newLayout(c, precision, values)
	if err != nil {
		return []error{err}
	}
	runs := 2
	if c.Shift != 0 {
		runs = 1 // whether runs differ is told by the case without a shift
	}
	got, err := execute(device, l, runs)
	if err != nil {
		return []error{err}
	}
	problems := l.damage(got[0])
	for _, name := range l.differing(got[0], got[runs-1]) {
		problems = append(problems, fmt.Errorf("argument %s differs between two runs: want the same bits", name))
	}
	want, exact, err := expect(l)
	if err != nil {
		return append(problems, fmt.Errorf("the case is wrong: ref: %w", err))
	}
	for i := range l.args {
		if !l.args[i].compared {
			continue
		}
		x, err := l.floats(got[0], i)
		if err == nil {
			err = compare(c, l, i, x, want[i], exact[i])
		}
		if err != nil {
			problems = append(problems, err)
		}
	}
	return problems
}

// expected are the arguments after ref has run the case: in the precision of l, and in fp32.
func expected(oracle kernels.Device, c Case, l *layout, values *inputs) (want, exact [][]float32, err error) {
	want, err = results(oracle, l)
	if err != nil || l.calls[0].Precision == kernels.F32 {
		return want, want, err
	}
	wide, err := newLayout(c, kernels.F32, values)
	if err != nil {
		return nil, nil, err
	}
	exact, err = results(oracle, wide)
	return want, exact, err
}

// results are the outputs, by argument, after a run.
func results(device kernels.Device, l *layout) ([][]float32, error) {
	memory, err := execute(device, l, 1)
	if err != nil {
		return nil, err
	}
	outputs := make([][]float32, len(l.args))
	for i := range l.args {
		if !l.args[i].compared {
			continue
		}
		if outputs[i], err = l.floats(memory[0], i); err != nil {
			return nil, err
		}
	}
	return outputs, nil
}

// execute writes the layout's image to the device, runs its call and reads the memory back, times times over.
func execute(device kernels.Device, l *layout, times int) ([][][]byte, error) {
	segments := make([]kernels.Buffer, len(l.image))
	for i, image := range l.image {
		buffer, err := device.NewBuffer(int64(len(image)))
		if err != nil {
			return nil, fmt.Errorf("NewBuffer: %w", err)
		}
		defer buffer.Free()
		segments[i] = buffer
	}
	program, err := device.NewProgram(l.calls, segments)
	if err != nil {
		return nil, fmt.Errorf("NewProgram: %w", err)
	}
	defer program.Free()
	results := make([][][]byte, times)
	for n := range results {
		for i, image := range l.image {
			if err := segments[i].Write(0, image); err != nil {
				return nil, fmt.Errorf("write: %w", err)
			}
		}
		if err := program.Run(); err != nil {
			return nil, fmt.Errorf("run: %w", err)
		}
		results[n] = make([][]byte, len(segments))
		for i, image := range l.image {
			results[n][i] = bytes.Clone(image)
			if err := segments[i].Read(results[n][i], 0); err != nil {
				return nil, fmt.Errorf("read: %w", err)
			}
		}
	}
	return results, nil
}
