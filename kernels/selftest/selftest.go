// Package selftest holds the kernels of a device against kernels/ref before the device is used, and remembers the verdict.
//
// A kernel that emulation and review found right may still be wrong on a device that nobody has tried: another
// generation, another driver's compiler. So each kernel runs a few small cases of its table (kerneltest.Small) the first time
// that this build meets a model of device with a driver. What came out is kept in a file of the user's cache; a file that is not
// there, damaged or not writable means a new test and nothing worse.
//
// A test ends within a second: it goes through the kernels in rounds, the smallest case of each in every precision first, and begins no
// further case when the time is spent. Only that first round is run whatever it takes, since a kernel that nothing checked is not to be
// trusted; on a GPU it takes a fraction of the time, on the emulated driver it may take all of it and more. What was checked is part of
// the verdict.
package selftest

import (
	"errors"
	"fmt"
	"time"

	"atoll/kernels"
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
	Cases   int               `json:"cases"`   // that were run, a precision of a case each
	Left    int               `json:"left"`    // that there was no time for
	Seconds float64           `json:"seconds"` // that they took
	First   float64           `json:"first"`   // of them for the first round
}

// Second is what a test may take. The last case begins somewhat earlier: one takes some milliseconds.
const Second = time.Second

const lastBegin = Second - 50*time.Millisecond

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
func Run(d Device, id Identity, file string) (Verdict, error) { return run(d, id, file, time.Now) }

// run is Run by the given clock.
func run(d Device, id Identity, file string, now func() time.Time) (Verdict, error) {
	v := recall(file, id)
	t := test{device: d, now: now, began: now()}
	for k := range kernels.Count {
		if _, known := v.Kernels[k.String()]; !known && d.Has(k) {
			t.subjects = append(t.subjects, &subject{kernel: k, cases: kerneltest.Small(k)})
		}
	}
	if len(t.subjects) == 0 {
		return v, nil
	}
	err := t.run()
	var lost *LostError
	if err != nil && !errors.As(err, &lost) {
		return v, err
	}
	t.conclude(&v, lost != nil)
	remember(file, v)
	return v, err
}

// Problem says how kernel k differs from ref; empty where it does not, or was not tested.
func (v Verdict) Problem(k kernels.Kernel) string { return v.Kernels[k.String()] }

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
