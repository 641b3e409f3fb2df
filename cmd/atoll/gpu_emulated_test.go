//go:build gpu

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"atoll/kernels"
	"atoll/kernels/selftest"
)

// TestEmulatedWrongKernel runs tests on emulated drivers whose add is wrong: where it goes by elements, as in its smallest case, sums are
// differences.
func TestEmulatedWrongKernel(t *testing.T) {
	library := spoiledDriver(t, "widen(a[i]) + widen(b[i])", "widen(a[i]) - widen(b[i])")
	child(t, "TestWrongAdd", library)
}

// TestEmulatedLostDevice has add write to address 0, after which the driver refuses everything, as a GPU's does. Two starts follow
// each other, each in a process of its own.
func TestEmulatedLostDevice(t *testing.T) {
	library := spoiledDriver(t, "narrow(&out[i], widen(a[i])", "narrow((Act *)nullptr, widen(a[i])")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	child(t, "TestLostByAdd", library)
	child(t, "TestLostByAddBefore", library)
}

// spoiledDriver is the emulated driver with a text of add.cu replaced.
func spoiledDriver(t *testing.T, right, wrong string) string {
	t.Helper()
	objects, err := filepath.Glob("../../build/emulated/*.o")
	if err != nil || len(objects) == 0 || filepath.Base(os.Getenv("ATOLL_LIBCUDA")) != "libcuda-emulated.so" {
		t.Skip("ATOLL_LIBCUDA names no emulated driver that make emulator built here")
	}
	const source = "../../kernels/cuda/source/"
	text, err := os.ReadFile(source + "add.cu")
	if err != nil || !strings.Contains(string(text), right) {
		t.Fatalf("error %v, or add.cu has no %q to spoil", err, right)
	}
	dir := t.TempDir()
	spoiled, library := filepath.Join(dir, "add.cu"), filepath.Join(dir, "libcuda.so")
	if err := os.WriteFile(spoiled, []byte(strings.ReplaceAll(string(text), right, wrong)), 0o644); err != nil {
		t.Fatal(err)
	}
	// As the Makefile's EMULATE does, so that accesses are checked.
	compile(t, "CXX", "c++", "-x", "c++", "-std=c++17", "-O1", "-fPIC", "-fvisibility=hidden", "-fsanitize=thread",
		"--param=tsan-instrument-func-entry-exit=0", "-fno-tree-sra", "-w", "-DATOLL_EMULATED", "-I"+source, "-c", "-o", spoiled+".o", spoiled)
	objects = slices.DeleteFunc(objects, func(o string) bool { return filepath.Base(o) == "add.cu.o" })
	compile(t, "CXX", "c++", append([]string{"-shared", "-Wl,-z,defs", "-o", library, spoiled + ".o"}, objects...)...)
	return library
}

// compile runs the compiler that a variable of the environment names.
func compile(t *testing.T, variable, compiler string, arguments ...string) {
	t.Helper()
	if name := os.Getenv(variable); name != "" {
		compiler = name
	}
	c := exec.Command(compiler, arguments...)
	if output, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", c.Args, err, output)
	}
}

// child runs a test on another driver: a process has one.
func child(t *testing.T, test, library string) {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^"+test+"$", "-test.v")
	c.Env = append(os.Environ(), "ATOLL_LIBCUDA="+library, "CHILD="+test)
	if output, err := c.CombinedOutput(); err != nil || !strings.Contains(string(output), "--- PASS: "+test) {
		t.Errorf("%v\n%s", err, output)
	}
}

// What was found at the first start is remembered at the next.
func TestEmulatedSelfTest(t *testing.T) {
	driver(t)
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	first, errs := inspectGPU(t)
	count := 0
	for k := range kernels.Count {
		if !kernels.HostOnly(k) {
			count++
		}
	}
	want := fmt.Sprintf("%d kernels agree with the plainest ones; last tested ", count)
	if errs != "" || !strings.HasPrefix(first.SelfTest, want) {
		t.Errorf("self-test %q, stderr %q, want %q... and no word on it", first.SelfTest, errs, want)
	}
	if _, err := os.Stat(filepath.Join(cache, "atoll", "selftest.json")); err != nil {
		t.Error(err)
	}
	if again, _ := inspectGPU(t); again.SelfTest != first.SelfTest {
		t.Errorf("the second start says %q, the first %q, want the remembered verdict", again.SelfTest, first.SelfTest)
	}
}

func inChild(t *testing.T, test string) {
	t.Helper()
	if os.Getenv("CHILD") != test {
		t.Skip("another test runs it in a process of its own")
	}
}

func TestWrongAdd(t *testing.T) {
	inChild(t, "TestWrongAdd")
	withholdsAdd(t)
}

// The first start ends with an error that names the kernel ...
func TestLostByAdd(t *testing.T) {
	inChild(t, "TestLostByAdd")
	var lost *selftest.LostError
	if _, _, err := openGPU(0, io.Discard); !errors.As(err, &lost) || lost.Kernel != kernels.Add {
		t.Fatalf("error is %v, want a *selftest.LostError of add", err)
	}
}

// ... and the next one does without it.
func TestLostByAddBefore(t *testing.T) {
	inChild(t, "TestLostByAddBefore")
	var notes strings.Builder
	d, _, err := openGPU(0, &notes)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if d.Has(kernels.Add) || !d.Has(kernels.Linear) || strings.Count(notes.String(), "\n") != 1 || !strings.Contains(notes.String(), "kernel add is not used") {
		t.Errorf("has add %v, has linear %v, notes %q, want one warning about add", d.Has(kernels.Add), d.Has(kernels.Linear), notes.String())
	}
}

// withholdsAdd wants a wrong kernel to be named with its case and not used, at the first start and from memory.
func withholdsAdd(t *testing.T) {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for range 2 {
		found, errs := inspectGPU(t)
		if strings.Count(errs, "\n") != 1 || !strings.HasPrefix(errs, "atoll: warning: cuda:0, ") ||
			!strings.Contains(errs, ": kernel add is not used, since it failed its self-test: add fp32 N=") || !strings.Contains(errs, ": out[") ||
			!strings.Contains(found.SelfTest, " kernels agree with the plainest ones, add is wrong (add fp32 N=") ||
			!strings.Contains(found.Unavailable, "it lacks ") || !strings.Contains(found.Unavailable, "add,") {
			t.Errorf("stderr %q, found %+v, want a warning that names the kernel and its case", errs, found)
		}
	}
	refused(t)
	code, _, errs := command(t, "", "bench", "train", "--model", "mini", "--batch", "1", "--seq", "8", "--steps", "1", "--precision", "fp32")
	if code != exitDone || !strings.Contains(errs, "kernel add is not used") || !strings.Contains(errs, "computing on the CPU: cuda:0 lacks ") {
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
