package kerneltest

import (
	"testing"

	"atoll/kernels/ref"
)

func TestRefAgainstItself(t *testing.T) {
	device := ref.New()
	Run(t, device, Options{})
	Faults(t, device, Options{})
	Padding(t, device, Options{})
	Unbiased(t, device, Options{})
}
