//go:build gpu

package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"atoll/kernels"
)

// TestOnStandIn runs the tests named TestStandIn on the stand-in for a driver, in a process of their own.
func TestOnStandIn(t *testing.T) {
	if os.Getenv("ATOLL_LIBCUDA") != "" {
		t.Skip("ATOLL_LIBCUDA names another driver")
	}
	library := filepath.Join(t.TempDir(), "driver.so")
	compiler := os.Getenv("CC")
	if compiler == "" {
		compiler = "cc"
	}
	c := exec.Command(compiler, "-std=gnu11", "-O1", "-shared", "-fPIC", "-o", library, "../../kernels/cuda/testdata/driver.c")
	if output, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", c.Args, err, output)
	}
	c = exec.Command(os.Args[0], "-test.run=^TestStandIn", "-test.v")
	c.Env = append(os.Environ(), "ATOLL_LIBCUDA="+library, "STANDIN=1")
	if output, err := c.CombinedOutput(); err != nil || !strings.Contains(string(output), "--- PASS: TestStandInSelfTest") {
		t.Errorf("%v\n%s", err, output)
	}
}

// A kernel that differs on the device is named with its case and not used; what was found is remembered.
func TestStandInSelfTest(t *testing.T) {
	if os.Getenv("STANDIN") == "" {
		t.Skip("TestOnStandIn runs it")
	}
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	if found, errs := inspectGPU(t); errs != "" || !strings.HasPrefix(found.SelfTest, "1 kernels agree with the plainest ones; last tested ") {
		t.Errorf("self-test %q, stderr %q, want one kernel that agrees and no word on it", found.SelfTest, errs)
	}
	if _, err := os.Stat(filepath.Join(cache, "atoll", "selftest.json")); err != nil {
		t.Error(err)
	}
	t.Setenv("DRIVER_FAIL", "wrong:1")
	if _, errs := inspectGPU(t); errs != "" {
		t.Errorf("stderr %q, want the remembered verdict", errs)
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for range 2 {
		found, errs := inspectGPU(t)
		if strings.Count(errs, "\n") != 1 || !strings.HasPrefix(errs, "atoll: warning: cuda:0, stand-in 0: kernel add is not used, since it failed its self-test: add fp32 N=") ||
			!strings.Contains(errs, "out[0] is ") || !strings.Contains(found.SelfTest, "0 kernels agree with the plainest ones, add is wrong (add fp32 N=") ||
			!strings.Contains(found.Unavailable, "lacks") || !strings.Contains(found.Unavailable, " add,") {
			t.Errorf("stderr %q, found %+v, want a warning that names the kernel and its case", errs, found)
		}
	}
	refused(t)
	code, _, errs := command(t, "", "bench", "train", "--model", "mini", "--batch", "1", "--seq", "8", "--steps", "1", "--precision", "fp32")
	if code != exitDone || !strings.Contains(errs, "kernel add is not used") || !strings.Contains(errs, "computing on the CPU: cuda:0 lacks") {
		t.Errorf("--device auto: exit %d, stderr %q, want a run on the CPU", code, errs)
	}
}

// inspectGPU gives what atoll inspect devices tells of the first GPU.
func inspectGPU(t *testing.T) (deviceInfo, string) {
	t.Helper()
	var notes strings.Builder
	found := findGPUs(&notes)
	if len(found) != 1 {
		t.Fatalf("%d GPUs, want 1", len(found))
	}
	return found[0], notes.String()
}

// refused wants a clear error of a program with the wrong kernel.
func refused(t *testing.T) {
	t.Helper()
	d, _, err := openGPU(0, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	b, err := d.NewBuffer(64)
	if err != nil {
		t.Fatal(err)
	}
	call := kernels.Call{Kernel: kernels.Add, Dims: [kernels.MaxDims]int64{1}}
	_, err = d.NewProgram([]kernels.Call{call}, []kernels.Buffer{b})
	want := "instruction 0: cuda:0 does not use its kernel add: it failed its self-test: add fp32 N="
	if d.Has(kernels.Add) || err == nil || !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), ": use the CPU") {
		t.Errorf("Has is %v, error %v, want no add and %q...", d.Has(kernels.Add), err, want)
	}
}
