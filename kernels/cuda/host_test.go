//go:build gpu

package cuda

import (
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"gorgonia.org/cu"

	"atoll/kernels"
)

// The counts of emulator/inject.h.
const (
	plainLaunches = 9000 + iota
	graphLaunches
	waits
	unfreed
	captures
	overlaps
)

// A driver that does not start, or finds no device, is no error of the program.
func TestHostNoDevice(t *testing.T) {
	if os.Getenv("DRIVER_FAIL") != "" {
		var unavailable *UnavailableError
		if _, err := Open(0); !errors.As(err, &unavailable) {
			t.Errorf("Open gives %v, want an UnavailableError", err)
		}
		return
	}
	emulated(t)
	for _, fail := range []string{"cuInit:100", "cuInit:803", "count:1"} {
		again(t, "TestHostNoDevice", "DRIVER_FAIL="+fail)
	}
}

func TestHostBuffer(t *testing.T) {
	emulated(t)
	d := open(t)
	for _, size := range []int{0, 1, 100, stagingBytes, 2*stagingBytes + 12345} {
		b, err := d.NewBuffer(int64(size))
		if err != nil {
			t.Fatal(err)
		}
		got := slices.Repeat([]byte{7}, size)
		if err := b.Read(got, 0); err != nil || slices.Max(append(got, 0)) != 0 {
			t.Errorf("size %d: read gives error %v and bytes that are not 0", size, err)
		}
		want := make([]byte, size)
		for i := range want {
			want[i] = byte(i ^ i>>8 ^ i>>16)
		}
		half := size / 2
		if err := errors.Join(b.Write(int64(half), want[half:]), b.Write(0, want[:half]), b.Read(got, 0)); err != nil || !slices.Equal(got, want) {
			t.Errorf("size %d: error %v, or what is read is not what was written", size, err)
		}
		for _, wrong := range []error{b.Write(int64(size)-1, []byte{1, 2}), b.Read(make([]byte, 1), -1), b.Read(make([]byte, size+1), 0)} {
			if wrong == nil {
				t.Errorf("size %d: a copy out of bounds gives no error", size)
			}
		}
		if unused, err := d.NewBuffer(int64(size)); err != nil {
			t.Error(err)
		} else {
			unused.Free() // before it was zeroed, which waits in the stream
		}
		if b.Bytes() != nil {
			t.Errorf("size %d: Bytes is not nil", size)
		}
		b.Free()
		b.Free()
		if err := b.Read(make([]byte, min(size, 1)), 0); err == nil {
			t.Errorf("size %d: a read after Free gives no error", size)
		}
	}
	if _, err := d.NewBuffer(-1); err == nil {
		t.Error("a buffer of -1 bytes gives no error")
	}
	t.Setenv("DRIVER_MEMORY", "1073741824")
	var full *OutOfMemoryError
	if _, err := d.NewBuffer(2 << 30); !errors.As(err, &full) || full.Wanted != 2<<30 || full.Total != 1<<30 || full.Free == 0 {
		t.Errorf("2 GiB of 1: error is %v, want an OutOfMemoryError with the bytes", err)
	}
}

// A program copies what the host wrote to its side of an exchange to the device, and the results back, within the run's one wait.
func TestHostExchange(t *testing.T) {
	emulated(t)
	d := open(t)
	const in, out, elements = 2048, 1024, 256
	x, err := d.NewExchange(in, out)
	if err != nil {
		t.Fatal(err)
	}
	p := sumOfHalves(t, d, x, in, elements)
	values := kernels.Float32s(x.Bytes())
	for run := range 4 { // plainly, at the capture, and from the graph twice
		for i := range elements {
			values[i], values[elements+i] = float32(run), float32(i)
		}
		before := count(t, waits)
		if err := p.Run(); err != nil {
			t.Fatal(err)
		}
		if got := values[in/4+9]; got != float32(run+9) {
			t.Errorf("run %d: the sum on the host is %v, want %v", run, got, run+9)
		}
		if n := count(t, waits) - before; run > 0 && n != 1 {
			t.Errorf("run %d: %d waits, want 1", run, n)
		}
	}
	word := make([]byte, 4)
	if err := errors.Join(x.Write(in, []byte{1, 2, 3, 4}), x.Read(word, in)); err != nil || !slices.Equal(word, []byte{1, 2, 3, 4}) {
		t.Errorf("what was written on the host's side reads %v, error %v", word, err)
	}
	for _, wrong := range []error{x.Write(in+out-1, word), x.Read(word, -1)} {
		if wrong == nil {
			t.Error("a copy out of bounds gives no error")
		}
	}
}

// sumOfHalves is a program that adds the two halves of elements fp32 numbers at the start of x to those at out.
func sumOfHalves(t *testing.T, d *Device, x kernels.Buffer, out, elements int64) *program {
	t.Helper()
	call := kernels.Call{Kernel: kernels.Add, Dims: [kernels.MaxDims]int64{elements},
		Args: [kernels.MaxArgs]kernels.Ref{kernels.At(0, out), kernels.At(0, 0), kernels.At(0, 4*elements)}}
	p, err := d.NewProgram([]kernels.Call{call}, []kernels.Buffer{x})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Free)
	return p.(*program)
}

// adds is a program of n sums, each onto the one before: c = a+b, c = c+b ...
func adds(t *testing.T, d *Device, n int) (kernels.Program, kernels.Buffer) {
	t.Helper()
	const elements = 1000
	b, err := d.NewBuffer(3 * 4096)
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, elements)
	for i := range x {
		x[i] = float32(i)
	}
	if err := errors.Join(b.Write(0, kernels.BytesOf(x)), b.Write(4096, kernels.BytesOf(x))); err != nil {
		t.Fatal(err)
	}
	calls := make([]kernels.Call, n)
	for i := range calls {
		calls[i] = kernels.Call{Kernel: kernels.Add, Dims: [kernels.MaxDims]int64{elements},
			Args: [kernels.MaxArgs]kernels.Ref{kernels.At(0, 8192), kernels.At(0, 8192), kernels.At(0, 4096)}}
	}
	calls[0].Args[1] = kernels.At(0, 0)
	p, err := d.NewProgram(calls, []kernels.Buffer{b})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Free)
	return p, b
}

// A program runs plainly, then is captured, then runs from its graph, with one wait a run and no allocation.
func TestHostProgram(t *testing.T) {
	emulated(t)
	d := open(t)
	p, b := adds(t, d, 3)
	last := make([]byte, 4)
	for run, want := range []struct{ plain, graph, waits, captures int }{{3, 0, 4, 0}, {0, 1, 1, 1}, {0, 1, 1, 0}, {0, 1, 1, 0}} {
		if err := b.Write(8192, make([]byte, 4000)); err != nil {
			t.Fatal(err)
		}
		before := []int{count(t, plainLaunches), count(t, graphLaunches), count(t, waits), count(t, captures)}
		if err := p.Run(); err != nil {
			t.Fatal(err)
		}
		for i, w := range []int{want.plain, want.graph, want.waits, want.captures} {
			if got := count(t, cu.DeviceAttribute(plainLaunches+[]int{0, 1, 2, 4}[i])) - before[i]; got != w {
				t.Errorf("run %d: %d of %s, want %d", run, got, []string{"plain launches", "launches of graphs", "waits", "captures"}[i], w)
			}
		}
		if err := b.Read(last, 8192+999*4); err != nil || kernels.Float32s(last)[0] != 4*999 {
			t.Errorf("run %d: error %v, the last sum is %v, want %v", run, err, kernels.Float32s(last)[0], 4*999)
		}
	}
	if n := testing.AllocsPerRun(10, func() { _ = errors.Join(b.Write(0, last), p.Run(), b.Read(last, 8192)) }); n != 0 {
		t.Errorf("a run with its copies allocates %v times, want 0", n)
	}
	// The graph holds the old address of the workspace; here nothing uses it.
	if err := d.run(jobFunc(func() error { return d.reserve(4096) })); err != nil {
		t.Fatal(err)
	}
	before := count(t, captures)
	if err := p.Run(); err != nil || count(t, captures) != before+1 {
		t.Errorf("after the workspace moved: error %v, %d captures, want 1", err, count(t, captures)-before)
	}
	p.Free()
	if err := p.Run(); err == nil {
		t.Error("a program that was freed runs")
	}
}

func TestHostProgramChecks(t *testing.T) {
	emulated(t)
	d := open(t)
	b, err := d.NewBuffer(64)
	if err != nil {
		t.Fatal(err)
	}
	call := kernels.Call{Kernel: kernels.Add, Dims: [kernels.MaxDims]int64{17}}
	if _, err := d.NewProgram([]kernels.Call{call}, []kernels.Buffer{b}); err == nil || !strings.Contains(err.Error(), "instruction 0: add") {
		t.Errorf("17 floats in 64 bytes: error is %v, want one that names the instruction and the kernel", err)
	}
	other := open(t)
	if _, err := other.NewProgram(nil, []kernels.Buffer{b}); err == nil {
		t.Error("a buffer of another device gives no error")
	}
	p, err := d.NewProgram(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.Run(), p.Run(), p.Run()); err != nil {
		t.Errorf("an empty program: %v", err)
	}
}

// What the driver refuses is told with the instruction, the kernel of the device and the driver's name for it.
func TestHostErrors(t *testing.T) {
	emulated(t)
	tests := []struct {
		fail  string
		runs  int // that go well before
		index int
		want  []string
	}{
		{"cuLaunchKernel:701", 0, 0, []string{"instruction 0, add", "launching add_f32 in 1 x 1 x 1 blocks of 256 threads", "701"}},
		{"cuStreamSynchronize:700", 0, 0, []string{"instruction 0, add", "CUDA_ERROR_ILLEGAL_ADDRESS"}},
		{"cuStreamSynchronize:700", 2, -1, []string{"one of 2 instructions", "CUDA_LAUNCH_BLOCKING=1"}},
		{"cuGraphLaunch:999", 2, -1, []string{"one of 2 instructions", "CUDA_ERROR_UNKNOWN"}},
		{"cuModuleGetFunction:500", 0, 0, []string{"launching add_f32", "make gpu"}},
	}
	for _, test := range tests {
		d := open(t)
		p, _ := adds(t, d, 2)
		for range test.runs {
			if err := p.Run(); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("DRIVER_FAIL", test.fail)
		err := p.Run()
		t.Setenv("DRIVER_FAIL", "")
		var e *Error
		if !errors.As(err, &e) || e.Index != test.index {
			t.Errorf("%s: error is %v, want an *Error of instruction %d", test.fail, err, test.index)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not contain %q", test.fail, err, want)
			}
		}
		if err := p.Run(); err != nil {
			t.Errorf("%s: the run after it: %v", test.fail, err)
		}
	}
}

// The N-th call fails, and no other.
func TestHostNthCall(t *testing.T) {
	emulated(t)
	d := open(t)
	p, _ := adds(t, d, 3)
	t.Setenv("DRIVER_FAIL", "cuLaunchKernel:701:3")
	var e *Error
	if err := p.Run(); !errors.As(err, &e) || e.Index != 2 || e.Code != codeOutOfResources {
		t.Errorf("error is %v, want one of instruction 2", err)
	}
	if err := p.Run(); err != nil {
		t.Errorf("the run after it: %v", err)
	}
}

// A device that is lost stays lost: every call says so, and closing it ends.
func TestHostLost(t *testing.T) {
	emulated(t)
	if os.Getenv("DRIVER_FAIL") == "" {
		for _, code := range []string{"700", "999"} {
			again(t, "TestHostLost", "DRIVER_FAIL=lost:"+code+":5")
		}
		return
	}
	d, err := Open(0)
	if err != nil {
		t.Fatal(err)
	}
	p, b := adds(t, d, 2)
	runs := 0
	for ; err == nil && runs < 10; runs++ {
		err = p.Run()
	}
	// The first run launches two kernels, the second captures two more and launches the graph.
	var e *Error
	if !errors.As(err, &e) || runs != 2 || !strings.Contains(err.Error(), "the device was lost after 5 launches") {
		t.Errorf("run %d: error is %v, want an *Error in run 2 that says after how many launches the device was lost", runs, err)
	}
	if err := b.Read(make([]byte, 4), 0); !errors.As(err, &e) {
		t.Errorf("a read from the lost device gives %v", err)
	}
	if err := d.Close(); !errors.As(err, &e) {
		t.Errorf("closing the lost device gives %v", err)
	}
	if _, err := Open(0); err == nil {
		t.Error("the lost device opens again")
	}
}

// A capture that the driver refuses leaves plain launches.
func TestHostCaptureRefused(t *testing.T) {
	emulated(t)
	for _, call := range []string{"cuStreamBeginCapture_v2:900", "cuStreamEndCapture:901", "cuGraphInstantiateWithFlags:801"} {
		d := open(t)
		p, b := adds(t, d, 2)
		t.Setenv("DRIVER_FAIL", call)
		before := count(t, plainLaunches)
		if err := errors.Join(p.Run(), p.Run(), p.Run()); err != nil {
			t.Errorf("%s: %v", call, err)
		}
		if got := count(t, plainLaunches) - before; got != 6 {
			t.Errorf("%s: %d plain launches in three runs, want 6", call, got)
		}
		t.Setenv("DRIVER_FAIL", "")
		last := make([]byte, 4)
		if err := b.Read(last, 8192+999*4); err != nil || kernels.Float32s(last)[0] != 3*999 {
			t.Errorf("%s: error %v, the last sum is %v, want %v", call, err, kernels.Float32s(last)[0], 3*999)
		}
	}
}

// With CUDA_LAUNCH_BLOCKING=1 an error names its instruction at any run.
func TestHostStepwise(t *testing.T) {
	emulated(t)
	t.Setenv("CUDA_LAUNCH_BLOCKING", "1")
	d := open(t)
	p, _ := adds(t, d, 2)
	if err := errors.Join(p.Run(), p.Run()); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DRIVER_FAIL", "cuStreamSynchronize:700")
	var e *Error
	if err := p.Run(); !errors.As(err, &e) || e.Index != 0 {
		t.Errorf("error is %v, want an *Error of instruction 0", err)
	}
	t.Setenv("DRIVER_FAIL", "")
}

// A record on the device becomes the fault that the CPU gives; the words are those of kernels/cpu/checks.h.
func TestHostFaults(t *testing.T) {
	emulated(t)
	d := open(t)
	p, _ := adds(t, d, 2)
	for fail, want := range map[string]string{
		"fault:1:1:50:50:17": "instruction 1, add: token 50 in row 17 is not below V=50",
		"fault:1:1:-2:50:3":  "instruction 1, add: token -2 in row 3 is below 0",
		"fault:2:0:50:50:19": "instruction 0, add: target 50 in row 19 is not below V=50",
		"fault:3:0:8:7:2":    "instruction 0, add: length 8 in row 2 is above T=7",
		"fault:4:0:4:4:5":    "instruction 0, add: label 4 in row 5 is not below K=4",
		"fault:5:0:-5:8:0":   "instruction 0, add: start -5 is below 0",
	} {
		t.Setenv("DRIVER_FAIL", fail)
		var f *kernels.Fault
		if err := p.Run(); !errors.As(err, &f) || err.Error() != want {
			t.Errorf("%s: error is %v, want %s", fail, err, want)
		}
	}
	t.Setenv("DRIVER_FAIL", "")
	if err := p.Run(); err != nil {
		t.Errorf("the run after a fault: %v", err)
	}
}

func TestHostOpen(t *testing.T) {
	emulated(t)
	if _, err := Open(1); err == nil || !strings.Contains(err.Error(), "cuda:1: want a number from 0 to 0") {
		t.Errorf("Open(1) of one device: %v", err)
	}
	before := count(t, unfreed)
	for _, call := range []string{"cuDevicePrimaryCtxRetain:2", "cuStreamCreate:2", "cuMemAllocHost_v2:2", "cuModuleLoadData:209", "cuMemAlloc_v2:999"} {
		t.Setenv("DRIVER_FAIL", call)
		if _, err := Open(0); err == nil {
			t.Errorf("%s: no error", call)
		}
	}
	t.Setenv("DRIVER_FAIL", "capability:7")
	if _, err := Open(0); err == nil || !strings.Contains(err.Error(), "7.0") {
		t.Errorf("a GPU of compute capability 7.0: error is %v, want one that says so", err)
	}
	t.Setenv("DRIVER_FAIL", "")
	d := open(t)
	adds(t, d, 1)
	if err := d.Close(); err != nil || count(t, unfreed) != before {
		t.Errorf("Close: error %v, %d allocations are left, want %d", err, count(t, unfreed), before)
	}
	if _, err := d.NewBuffer(1); err == nil {
		t.Error("a closed device gives a buffer")
	}
}

// Goroutines on one device take turns, and all calls come from one thread, or the driver refuses them.
func TestHostConcurrent(t *testing.T) {
	emulated(t)
	d := open(t)
	var wg sync.WaitGroup
	for range 4 {
		p, b := adds(t, d, 2)
		wg.Go(func() {
			for range 50 {
				if err := errors.Join(p.Run(), b.Read(make([]byte, 8), 0)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// emulated skips a test that asks the driver for failures and counts, which only the emulated one has.
func emulated(t *testing.T) {
	t.Helper()
	infos, err := Found()
	if err != nil || infos[0].Name != "emulated GPU" {
		t.Skip("needs the emulated driver: make test-emulated")
	}
}

func count(t *testing.T, which cu.DeviceAttribute) int {
	t.Helper()
	n, err := cu.Device(0).Attribute(which)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
