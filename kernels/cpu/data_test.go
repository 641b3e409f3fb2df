package cpu

import (
	"testing"

	"atoll/kernels/kerneltest"
)

// Wrong data is a fault, and a padded row has the bits of the row alone, with every variant and with more threads than
// there is work.
func TestFaultsAndPadding(t *testing.T) {
	for _, variant := range Variants() {
		t.Run(variant, func(t *testing.T) {
			d := open(t, Options{Threads: 3, Variant: variant})
			kerneltest.Faults(t, d, kerneltest.Options{})
			kerneltest.Padding(t, d, kerneltest.Options{})
		})
	}
}
