package kerneltest

import (
	"testing"

	"atoll/kernels/ref"
)

func TestRefAgainstItself(t *testing.T) {
	Run(t, ref.New(), Options{})
}
