//go:build gpu

package cuda

import (
	"errors"
	"os"
	"strings"
	"testing"

	"atoll/kernels"
)

const stagedIn, stagedOut, stagedElements = 2048, 1024, 256

// stagedSum is a program that adds the two halves of the inputs of a staged exchange.
func stagedSum(t *testing.T, d *Device) (*program, *buffer) {
	t.Helper()
	x, err := d.NewStaged(stagedIn, stagedOut)
	if err != nil {
		t.Fatal(err)
	}
	return sumOfHalves(t, d, x, stagedIn, stagedElements), x.(*buffer)
}

// writeInputs fills the inputs of run n: its sums are n + i.
func writeInputs(to []byte, n int) {
	values := kernels.Float32s(to)
	for i := range stagedElements {
		values[i], values[stagedElements+i] = float32(n), float32(i)
	}
}

// Inputs go up while the run before theirs is under way: the copy is asked for before that run was waited for, each run reads its own,
// and waits once.
func TestHostStaged(t *testing.T) {
	emulated(t)
	d := open(t)
	p, x := stagedSum(t, d)
	results := kernels.Float32s(x.Bytes()[stagedIn:])
	writeInputs(x.Bytes(), 0) // nothing is handed over ahead of the first run
	for run := range 6 {      // plainly, at the capture, and from the graph
		before, overlapped := count(t, waits), count(t, overlaps)
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		writeInputs(x.Next(), run+1)
		if err := errors.Join(x.Upload(), p.Wait()); err != nil {
			t.Fatal(err)
		}
		for i, got := range results {
			if got != float32(run+i) {
				t.Fatalf("run %d: sum %d is %v, want %v", run, i, got, run+i)
			}
		}
		if run > 0 && (count(t, waits) != before+1 || count(t, overlaps) != overlapped+1) {
			t.Errorf("run %d: %d waits and %d overlapped uploads, want 1 and 1", run, count(t, waits)-before, count(t, overlaps)-overlapped)
		}
	}
	if n := testing.AllocsPerRun(10, func() { _ = errors.Join(p.Start(), x.Upload(), p.Wait()) }); n != 0 {
		t.Errorf("a run with an upload allocates %v times, want 0", n)
	}
	if err := x.Upload(); err == nil || !strings.Contains(err.Error(), "waits for its run") {
		t.Errorf("a second upload before the run of the first: error is %v", err)
	}
	writeInputs(x.Bytes(), 9)
	if err := errors.Join(p.Run(), p.Run()); err != nil || results[0] != 9 {
		t.Errorf("a run that nothing was handed to: error %v, sum %v, want 9 from the host's side of the exchange", err, results[0])
	}
}

// A run that is under way ends before the next begins, and its program is told what came of it.
func TestHostStartedTwice(t *testing.T) {
	emulated(t)
	d := open(t)
	first, x := stagedSum(t, d)
	second, _ := adds(t, d, 2)
	writeInputs(x.Bytes(), 5)
	if err := errors.Join(first.Run(), first.Start()); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DRIVER_FAIL", "fault:1:0:50:50:17")
	err := second.Run()
	t.Setenv("DRIVER_FAIL", "")
	var f *kernels.Fault
	if first := first.Wait(); !errors.As(first, &f) || f.Kernel != kernels.Add || !errors.As(err, &f) {
		t.Errorf("the first run gives %v, the second %v, want a fault of each", first, err)
	}
	if err := errors.Join(second.Run(), first.Run(), first.Wait()); err != nil || kernels.Float32s(x.Bytes()[stagedIn:])[1] != 6 {
		t.Errorf("the runs after it: %v", err)
	}
}

// Without the events the emulator finds that a run reads inputs which no wait brought it. A device is lost by that, so the test starts
// itself.
func TestHostStagedOrder(t *testing.T) {
	emulated(t)
	if os.Getenv("STAGED") == "" {
		again(t, "TestHostStagedOrder", "STAGED=1", "DRIVER_FAIL=")
		return
	}
	d, err := Open(0)
	if err != nil {
		t.Fatal(err)
	}
	p, x := stagedSum(t, d)
	for run := range 3 {
		writeInputs(x.Next(), run)
		if err := errors.Join(x.Upload(), p.Run()); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("DRIVER_FAIL", "forget:cuStreamWaitEvent")
	var e *Error
	writeInputs(x.Next(), 3)
	if err := errors.Join(x.Upload(), p.Start(), x.device.run(jobFunc(func() error { return x.device.copies.Synchronize() })), p.Wait()); !errors.As(err, &e) ||
		!strings.Contains(err.Error(), "no event, wait or order of a stream is between them") {
		t.Errorf("without events: %v, want the emulator's word on the order of the streams", err)
	}
	if err := d.Close(); err == nil {
		t.Error("closing the device gives no error: a fault stays")
	}
}

// What cannot be made is given back.
func TestHostStagedFailures(t *testing.T) {
	emulated(t)
	d := open(t)
	before := count(t, unfreed)
	for _, call := range []string{"cuMemAllocHost_v2:2:1", "cuMemAllocHost_v2:2:2", "cuMemAlloc_v2:999:3", "cuEventCreate:2:3"} {
		t.Setenv("DRIVER_FAIL", call)
		if _, err := d.NewStaged(stagedIn, stagedOut); err == nil || count(t, unfreed) != before {
			t.Errorf("%s: error %v, %d allocations are left, want %d", call, err, count(t, unfreed), before)
		}
	}
	t.Setenv("DRIVER_FAIL", "")
	p, x := stagedSum(t, d)
	t.Setenv("DRIVER_FAIL", "cuMemcpyHtoDAsync_v2:999")
	var e *Error
	if err := x.Upload(); !errors.As(err, &e) || e.Doing == "" {
		t.Errorf("an upload that the driver refuses gives %v", err)
	}
	t.Setenv("DRIVER_FAIL", "")
	if err := errors.Join(x.Upload(), p.Run()); err != nil {
		t.Errorf("the one after it: %v", err)
	}
	p.Free()
	x.Free()
	if err := x.Upload(); err == nil || x.Next() != nil || count(t, unfreed) != before {
		t.Errorf("freed: an upload gives %v, Next %d bytes, %d allocations are left, want %d", err, len(x.Next()), count(t, unfreed), before)
	}
}
