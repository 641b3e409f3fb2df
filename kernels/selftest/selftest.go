// Package selftest holds the kernels of a device against kernels/ref before the device is used, and remembers the verdict.
//
// A kernel that emulation and review found right may still be wrong on a device that nobody has tried: another
// generation, another driver's compiler. So each kernel runs a few small cases of its table (kerneltest.Small) the first time
// that this build meets a model of device with a driver. What came out is kept in a file of the user's cache; a file that is not
// there, damaged or not writable means a new test and nothing worse. A test takes well under a second on a GPU.
package selftest

import (
	"errors"
	"fmt"
	"time"

	"atoll/kernels"
	"atoll/kernels/cuda"
	"atoll/kernels/kerneltest"
)

// Device is what can be tested.
type Device interface {
	kernels.Device
	Has(kernels.Kernel) bool
}

// Identity is what a verdict holds for. Where one of its fields is empty, nothing is remembered.
type Identity struct {
	Device   string `json:"device"` // the model
	Driver   string `json:"driver"`
	Products string `json:"products"` // what multiplies matrices
	Build    string `json:"build"`    // of the program with the kernels
}

// Verdict is what a test found.
type Verdict struct {
	Identity
	Time    time.Time         `json:"time"`    // when the last kernel was tested
	Kernels map[string]string `json:"kernels"` // by name: empty for one that agrees with ref, else how it differs
	Cases   int               `json:"cases"`   // that were run
	Seconds float64           `json:"seconds"` // that they took
}

// LostError says that a kernel left the device unusable for this process. The verdict on it is remembered: the next process
// does not run it.
type LostError struct {
	Device  string
	Kernel  kernels.Kernel
	Problem string
}

func (e *LostError) Error() string {
	return fmt.Sprintf("%s: the self-test of kernel %v lost the device: %s: run again, without that kernel, or use the CPU", e.Device, e.Kernel, e.Problem)
}

// Run gives the verdict on all kernels that d has, from the file of an earlier test as far as that knows them. An error is a
// *LostError, or says that the device had no memory for the test.
func Run(d Device, id Identity, file string) (Verdict, error) {
	v := recall(file, id)
	began, ran := time.Now(), 0
	for k := range kernels.Count {
		if _, known := v.Kernels[k.String()]; known || !d.Has(k) {
			continue
		}
		problem, cases, err := hold(d, k)
		if err != nil {
			return v, err
		}
		ran += cases
		v.Kernels[k.String()] = problem
		if problem != "" && !works(d) {
			v.note(ran, began)
			remember(file, v)
			return v, &LostError{d.Name(), k, problem}
		}
	}
	if ran > 0 {
		v.note(ran, began)
		remember(file, v)
	}
	return v, nil
}

func (v *Verdict) note(cases int, began time.Time) {
	v.Time, v.Cases, v.Seconds = time.Now(), cases, time.Since(began).Seconds()
}

// Problem says how kernel k differs from ref; empty where it does not, or was not tested.
func (v Verdict) Problem(k kernels.Kernel) string { return v.Kernels[k.String()] }

// hold runs the small cases of a kernel until one goes wrong.
func hold(d Device, k kernels.Kernel) (problem string, cases int, err error) {
	for _, c := range kerneltest.Small(k) {
		for _, precision := range c.Precisions() {
			cases++
			problems := kerneltest.Check(d, c, precision)
			if len(problems) == 0 {
				continue
			}
			var full *cuda.OutOfMemoryError
			if errors.As(problems[0], &full) {
				return "", cases, fmt.Errorf("self-test: %w", full)
			}
			return fmt.Sprintf("%s: %v", c.Name(precision), problems[0]), cases, nil
		}
	}
	return "", cases, nil
}

// works tells whether the device still answers: after some errors it does not, whatever is asked of it.
func works(d Device) bool {
	b, err := d.NewBuffer(kernels.Alignment)
	if err != nil {
		return false
	}
	defer b.Free()
	x := []byte{1}
	return b.Write(0, x) == nil && b.Read(x, 0) == nil && x[0] == 1
}
