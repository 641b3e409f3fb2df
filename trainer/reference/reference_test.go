package reference

import (
	"os"
	"path/filepath"
	"testing"

	"atoll/kernels"
	"atoll/kernels/cpu"
	"atoll/kernels/ref"
)

// kinds are the folders of testdata: set b of shared reference/, made by make_reference.py with seed 2.
var kinds = []string{"lm", "classify", "multilabel"}

func TestHoldOnPlainKernels(t *testing.T) {
	for _, kind := range kinds {
		check(t, filepath.Join("testdata", kind), ref.New(), kernels.F32)
	}
}

func TestHoldOnCPU(t *testing.T) {
	dirs := []string{"testdata"}
	if _, err := os.Stat("../../../shared/reference/a"); err == nil {
		dirs = append(dirs, "../../../shared/reference/a", "../../../shared/reference/b")
	}
	for _, variant := range cpu.Variants() {
		d, err := cpu.New(cpu.Options{Variant: variant, Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		for _, dir := range dirs {
			for _, kind := range kinds {
				t.Run(variant+"/"+filepath.Base(dir)+"/"+kind, func(t *testing.T) {
					check(t, filepath.Join(dir, kind), d, kernels.F32)
				})
			}
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHoldBF16(t *testing.T) {
	d, err := cpu.New(cpu.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, kind := range kinds {
		check(t, filepath.Join("testdata", kind), d, kernels.BF16)
	}
}

func check(t *testing.T, dir string, d kernels.Device, precision kernels.DType) {
	t.Helper()
	report, err := Hold(dir, d, ref.New(), precision)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range report.Checks {
		if !c.Passed() {
			t.Errorf("%s: error %.3g, tolerance %.3g: %s", c.Name, c.Error, c.Tolerance, c.Worst)
		}
		t.Logf("%-28s %.2g of %.2g", c.Name, c.Error, c.Tolerance)
	}
}
