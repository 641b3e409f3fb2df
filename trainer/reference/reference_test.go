package reference

import (
	"path/filepath"
	"testing"

	"atoll/kernels"
	"atoll/kernels/ref"
)

func TestHoldOnPlainKernels(t *testing.T) {
	for _, kind := range []string{"lm", "classify", "multilabel"} {
		report, err := Hold(filepath.Join("testdata", kind), ref.New(), ref.New(), kernels.F32)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range report.Checks {
			if !c.Passed() {
				t.Errorf("%s: error %.3g, tolerance %.3g: %s", c.Name, c.Error, c.Tolerance, c.Worst)
			}
			t.Logf("%-24s %.2g of %.2g", c.Name, c.Error, c.Tolerance)
		}
	}
}
