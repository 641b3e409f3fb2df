package reference

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"atoll/kernels"
	"atoll/kernels/cpu"
	"atoll/kernels/ref"
	"atoll/model/checkpoint"
)

// One stored value off by a tenth of a percent must fail its check, and the check must name its tensor.
func TestHoldNamesAChangedValue(t *testing.T) {
	const name = "grad.transformer.h.0.mlp.c_fc.weight"
	dir := filepath.Join(t.TempDir(), "classify")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "classify"))); err != nil {
		t.Fatal(err)
	}
	settings, err := os.ReadFile(filepath.Join("testdata", "README.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "README.json"), settings, 0o644); err != nil {
		t.Fatal(err)
	}
	changeLargest(t, filepath.Join(dir, "reference.safetensors"), name)
	d, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	report, err := Hold(dir, d, ref.New(), kernels.F32)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range report.Checks {
		changed := strings.HasSuffix(c.Name, "gradients")
		if c.Passed() == changed {
			t.Errorf("%s: passed %v with error %g, want %v", c.Name, c.Passed(), c.Error, !changed)
		}
		if changed && !strings.Contains(c.Worst, name) {
			t.Errorf("worst is %q, want it to name %s", c.Worst, name)
		}
	}
}

// changeLargest scales the largest element of a stored tensor.
func changeLargest(t *testing.T, path, name string) {
	t.Helper()
	file, err := checkpoint.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	tensor, err := file.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	stored := bytes.Clone(tensor.Data)
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(text, stored)
	values := kernels.Float32s(stored)
	best := 0
	for i, v := range values {
		if v*v > values[best]*values[best] {
			best = i
		}
	}
	values[best] *= 1.001
	copy(text[at:], stored)
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}
