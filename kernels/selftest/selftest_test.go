package selftest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"atoll/kernels"
	"atoll/kernels/cuda"
	"atoll/kernels/kerneltest"
	"atoll/kernels/ref"
)

// fake is ref with one wrong kernel.
type fake struct {
	kernels.Device
	only     []kernels.Kernel // empty: it has all
	wrong    kernels.Kernel   // Count: none
	spares   int              // programs of the wrong kernel that go well before
	fatal    bool             // the wrong kernel fails, and with it all that comes later
	full     bool             // there is no memory
	programs int
	lost     bool
	time     time.Time     // of its clock
	takes    time.Duration // a case does
	tested   []kernels.Kernel
}

// test is Run by the device's clock.
func (f *fake) test(id Identity, file string) (Verdict, error) {
	return run(f, id, file, func() time.Time { return f.time })
}

func newFake(only ...kernels.Kernel) *fake {
	return &fake{Device: ref.New(), only: only, wrong: kernels.Count}
}

var errLost = errors.New("the device is lost")

func (f *fake) Name() string              { return "fake:0" }
func (f *fake) Has(k kernels.Kernel) bool { return len(f.only) == 0 || slices.Contains(f.only, k) }

func (f *fake) NewBuffer(bytes int64) (kernels.Buffer, error) {
	switch {
	case f.full:
		return nil, &cuda.OutOfMemoryError{Device: f.Name(), Wanted: bytes}
	case f.lost:
		return nil, errLost
	}
	return f.Device.NewBuffer(bytes)
}

func (f *fake) NewProgram(calls []kernels.Call, segments []kernels.Buffer) (kernels.Program, error) {
	f.programs++
	f.time = f.time.Add(f.takes)
	f.tested = append(f.tested, calls[0].Kernel)
	p, err := f.Device.NewProgram(calls, segments)
	return &fakeProgram{p, f, calls, segments}, err
}

type fakeProgram struct {
	kernels.Program
	device   *fake
	calls    []kernels.Call
	segments []kernels.Buffer
}

// Run computes as ref does; of the wrong kernel the last element of the first argument comes out wrong.
func (p *fakeProgram) Run() error {
	call := &p.calls[0]
	wrong := call.Kernel == p.device.wrong
	if wrong && p.device.spares > 0 {
		p.device.spares--
		wrong = false
	}
	if p.device.lost || wrong && p.device.fatal {
		p.device.lost = true
		return errLost
	}
	err := p.Program.Run()
	if n, _ := call.Elements(0); wrong && n > 0 && call.Args[0] != kernels.None {
		size := int64(call.DTypeOf(0).Size())
		p.segments[call.Args[0].Segment()].Bytes()[call.Args[0].Offset()+n*size-1] ^= 0x40
	}
	return err
}

var identity = Identity{Device: "model", Driver: "CUDA 13.0", Products: "cublasLt 13.1.0", Build: "abc"}

func TestVerdict(t *testing.T) {
	file := filepath.Join(t.TempDir(), "deep", "selftest.json")
	d := newFake()
	began := time.Now()
	v, err := Run(d, identity, file)
	if err != nil || len(v.Kernels) != int(kernels.Count) || v.Cases == 0 || v.Time.Before(began) {
		t.Fatalf("error %v, %d kernels in %d cases at %v, want all of %d", err, len(v.Kernels), v.Cases, v.Time, kernels.Count)
	}
	for k := range kernels.Count {
		if problem := v.Problem(k); problem != "" {
			t.Errorf("ref differs from ref: %s", problem)
		}
	}
	if !testing.Short() && v.Seconds > 5 { // 0.4 s on one core of 2026
		t.Errorf("the host's part of a self-test takes %.1f s", v.Seconds)
	}
	d.programs = 0
	again, err := Run(d, identity, file)
	if err != nil || d.programs != 0 || len(again.Kernels) != len(v.Kernels) || !again.Time.Equal(v.Time) {
		t.Errorf("the second start: error %v, %d programs, %d kernels, want what was remembered", err, d.programs, len(again.Kernels))
	}
}

func TestIdentity(t *testing.T) {
	file := filepath.Join(t.TempDir(), "deep", "selftest.json")
	d := newFake(kernels.Add)
	if _, err := d.test(identity, file); err != nil {
		t.Fatal(err)
	}
	d.only, d.programs = append(d.only, kernels.Pool), 0
	v, err := d.test(identity, file)
	if want := 3 * len(kerneltest.Small(kernels.Pool)); err != nil || d.programs != want || len(v.Kernels) != 2 {
		t.Errorf("a kernel that is new: error %v, %d programs, %d kernels, want %d programs and 2 kernels", err, d.programs, len(v.Kernels), want)
	}
	for _, field := range []func(*Identity) *string{func(id *Identity) *string { return &id.Device }, func(id *Identity) *string { return &id.Driver },
		func(id *Identity) *string { return &id.Products }, func(id *Identity) *string { return &id.Build }} {
		other := identity
		*field(&other) = "other"
		d.programs = 0
		if _, err := d.test(other, file); err != nil || d.programs == 0 {
			t.Errorf("%v: error %v, %d programs, want a new test", other, err, d.programs)
		}
	}
	left, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(left) != 1 || len(read(file).Verdicts) != 5 {
		t.Errorf("error %v, %d files, %d verdicts, want 1 file with 5", err, len(left), len(read(file).Verdicts))
	}
}

// Each kernel for itself: a wrong one is named with its case, and no other is.
func TestWrongKernel(t *testing.T) {
	for k := range kernels.Count {
		d := newFake(k, (k+1)%kernels.Count)
		d.wrong = k
		v, err := d.test(identity, "")
		if err != nil {
			t.Fatal(err)
		}
		for other := range kernels.Count {
			problem := v.Problem(other)
			if other != k && problem != "" {
				t.Errorf("%v is wrong, and %v is blamed: %s", k, other, problem)
			}
			if other == k && !namesCase(problem, k) {
				t.Errorf("%v is wrong, and the verdict is %q, want one of its cases", k, problem)
			}
		}
	}
}

func namesCase(problem string, k kernels.Kernel) bool {
	for _, c := range kerneltest.Small(k) {
		for _, precision := range c.Precisions() {
			if strings.HasPrefix(problem, c.Name(precision)+": ") {
				return true
			}
		}
	}
	return false
}

// A kernel that takes the device with it is remembered, and the next process tests the others.
func TestLostDevice(t *testing.T) {
	file := filepath.Join(t.TempDir(), "selftest.json")
	d := newFake(kernels.Embed, kernels.Linear, kernels.Add)
	d.wrong, d.fatal = kernels.Linear, true
	var lost *LostError
	if _, err := d.test(identity, file); !errors.As(err, &lost) || lost.Kernel != kernels.Linear || !strings.Contains(err.Error(), "fake:0: the self-test of kernel linear") {
		t.Fatalf("error is %v, want a *LostError of linear", err)
	}
	next := newFake(d.only...)
	next.wrong, next.fatal = kernels.Linear, true
	v, err := next.test(identity, file)
	if err != nil || len(v.Kernels) != 3 || v.Kernels["add"] != "" || !strings.Contains(v.Problem(kernels.Linear), errLost.Error()) {
		t.Errorf("the next process: error %v, %d kernels, linear %q", err, len(v.Kernels), v.Problem(kernels.Linear))
	}
}

// No memory on the device is no verdict.
func TestNoMemory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "selftest.json")
	d := newFake()
	d.full = true
	var full *cuda.OutOfMemoryError
	if _, err := d.test(identity, file); !errors.As(err, &full) {
		t.Errorf("error is %v, want a *cuda.OutOfMemoryError", err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a verdict is remembered")
	}
}

// What cannot be read or written is tested anew, without an error.
func TestDamagedMemory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "selftest.json")
	good := func() string {
		t.Helper()
		if _, err := newFake(kernels.Add, kernels.Pool).test(identity, file); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}()
	for name, text := range map[string]string{
		"empty": "", "no JSON": "{", "cut": good[:len(good)/2], "another format": strings.Replace(good, `"format": 1`, `"format": 2`, 1),
		"no kernels": `{"format":1,"verdicts":[{"device":"model","driver":"CUDA 13.0","products":"cublasLt 13.1.0","build":"abc"}]}`, "null": "null", "list": "[1]",
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		d := newFake(kernels.Add, kernels.Pool)
		if v, err := d.test(identity, file); err != nil || d.programs == 0 || len(v.Kernels) != 2 {
			t.Errorf("%s: error %v, %d programs, %d kernels, want a new test", name, err, d.programs, len(v.Kernels))
		}
		d.programs = 0
		if _, err := d.test(identity, file); err != nil || d.programs != 0 {
			t.Errorf("%s: error %v, %d programs after a new test, want none", name, err, d.programs)
		}
	}
	for name, place := range map[string]string{"below a file": filepath.Join(file, "selftest.json"), "a folder": t.TempDir(), "nowhere": ""} {
		d := newFake(kernels.Add, kernels.Pool)
		if v, err := d.test(identity, place); err != nil || len(v.Kernels) != 2 {
			t.Errorf("%s: error %v, %d kernels, want a test", name, err, len(v.Kernels))
		}
	}
}

func TestIncompleteIdentity(t *testing.T) {
	file := filepath.Join(t.TempDir(), "selftest.json")
	for range 2 {
		d := newFake(kernels.Add)
		if _, err := d.test(Identity{Device: "model", Driver: "CUDA 13.0", Products: "cublasLt 13.1.0"}, file); err != nil || d.programs == 0 {
			t.Errorf("without a build: error %v, %d programs, want a test each time", err, d.programs)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "selftest.json")
	for n := range most + 3 {
		remember(file, Verdict{Identity: Identity{"model", "driver", "products", fmt.Sprint(n)}, Kernels: map[string]string{"add": ""}})
	}
	m := read(file)
	if len(m.Verdicts) != most || m.Verdicts[0].Build != "3" {
		t.Errorf("%d verdicts, the first of build %s, want %d from 3 on", len(m.Verdicts), m.Verdicts[0].Build, most)
	}
}

// The rounds of a test: the smallest case of each kernel first, whatever that takes, then as many as there is time for, kernel by kernel.
// What was checked is remembered with the verdict.
func TestTimeIsShared(t *testing.T) {
	only := []kernels.Kernel{kernels.Embed, kernels.Linear, kernels.Add, kernels.AdamW}
	first, all := 0, 0
	for _, k := range only {
		for n, c := range kerneltest.Small(k) {
			all += len(c.Precisions())
			if n == 0 {
				first += len(c.Precisions())
			}
		}
	}
	for name, test := range map[string]struct {
		takes             time.Duration
		least, most, left int // cases
	}{"quick": {time.Millisecond, all, all, 0}, "slow": {25 * time.Millisecond, first + 1, 41, 1}, "first round only": {time.Second, first, first, all - first}} {
		file := filepath.Join(t.TempDir(), "selftest.json")
		d := newFake(only...)
		d.takes = test.takes
		v, err := d.test(identity, file)
		if err != nil || v.Cases < test.least || v.Cases > test.most || v.Left < test.left || v.Cases+v.Left != all || len(v.Kernels) != len(only) {
			t.Errorf("%s: error %v, verdict %+v, want %d to %d cases of %d", name, err, v, test.least, test.most, all)
		}
		if took := time.Duration(v.Cases) * test.takes; name != "first round only" && took > Second || v.Seconds != took.Seconds() ||
			v.First != (time.Duration(first)*test.takes).Seconds() {
			t.Errorf("%s: %d cases took %v, the first round %v of them, by the verdict %v and %v", name, v.Cases, took, time.Duration(first)*test.takes, v.Seconds, v.First)
		}
		if round := slices.Compact(d.tested[:first]); !slices.Equal(round, only) {
			t.Errorf("%s: the first round tests %v, want %v", name, round, only)
		}
		counts := map[kernels.Kernel]int{}
		for _, k := range d.tested {
			counts[k]++
		}
		d.tested = nil
		if again, err := d.test(identity, file); err != nil || d.tested != nil || again.Cases != v.Cases || again.Left != v.Left || again.Seconds != v.Seconds || again.First != v.First {
			t.Errorf("%s: the second start: error %v, %v tested, %+v, want what was remembered: %+v", name, err, d.tested, again, v)
		}
		if name == "slow" && counts[kernels.Add]-counts[kernels.Linear] > 3 {
			t.Errorf("cases of each kernel: %v, want the time shared among them", counts)
		}
	}
}

// A device that is lost in a later round leaves kernels that were not gone through: they are none of the verdict.
func TestLostInALaterRound(t *testing.T) {
	file := filepath.Join(t.TempDir(), "selftest.json")
	d := newFake(kernels.Add, kernels.Pool)
	d.wrong, d.fatal, d.spares = kernels.Pool, true, 4
	var lost *LostError
	v, err := d.test(identity, file)
	if _, tested := v.Kernels["add"]; !errors.As(err, &lost) || lost.Kernel != kernels.Pool || tested || v.Problem(kernels.Pool) == "" {
		t.Fatalf("error %v, verdict %+v, want one on pool alone", err, v)
	}
	next := newFake(d.only...)
	if v, err := next.test(identity, file); err != nil || slices.Contains(next.tested, kernels.Pool) || len(v.Kernels) != 2 {
		t.Errorf("the next process: error %v, tested %v, want add alone", err, next.tested)
	}
}
