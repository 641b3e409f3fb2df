package cpu

import (
	"testing"

	"atoll/kernels/kerneltest"
)

// Every variant that this machine runs is held against kernels/ref.
func TestKernels(t *testing.T) {
	for _, variant := range Variants() {
		t.Run(variant, func(t *testing.T) {
			device := open(t, Options{Threads: 2, Variant: variant})
			kerneltest.Run(t, device, kerneltest.Options{})
			kerneltest.Unbiased(t, device, kerneltest.Options{})
		})
	}
}

// The number of threads does not change a bit.
func TestThreads(t *testing.T) {
	for _, variant := range Variants() {
		t.Run(variant, func(t *testing.T) {
			one := open(t, Options{Threads: 1, Variant: variant})
			for _, threads := range []int{3} {
				kerneltest.SameBits(t, one, open(t, Options{Threads: threads, Variant: variant}), kerneltest.Options{})
			}
		})
	}
}
