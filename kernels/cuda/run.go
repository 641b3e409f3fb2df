//go:build gpu

package cuda

// #include "run.h"
import "C"

import (
	"fmt"

	"atoll/kernels"
)

// Run, as Start and Wait, is one job of the device's thread and allocates nothing unless something fails.
func (p *program) Run() error   { return p.device.run((*whole)(p)) }
func (p *program) Start() error { return p.device.run(p) }
func (p *program) Wait() error  { return p.device.run((*waiting)(p)) }

// do starts the program on the device's thread. There is one record of faults, so a run that is under way ends first.
func (p *program) do() error {
	if p.bound == nil {
		return fmt.Errorf("%s: run of a program that was freed", p.device.Name())
	}
	d := p.device
	d.finish()
	if err := d.reserve(p.workspace); err != nil {
		return err
	}
	if C.gpu_start(d.gpu, p.bound) == 0 {
		return p.failure(C.gpu_failed(d.gpu))
	}
	d.underWay = p
	return nil
}

// whole is a program as the job that starts it and waits.
type whole program

func (w *whole) do() error {
	if err := (*program)(w).do(); err != nil {
		return err
	}
	w.device.finish()
	return w.outcome
}

// waiting is a program as the job that waits for its run.
type waiting program

func (w *waiting) do() error {
	if w.device.underWay == (*program)(w) {
		w.device.finish()
	}
	return w.outcome
}

// finish waits for the run that is under way, if there is one, and leaves what came of it with its program.
func (d *Device) finish() {
	p := d.underWay
	if p == nil {
		return
	}
	d.underWay = nil
	switch {
	case C.gpu_wait(d.gpu) == 0:
		p.outcome = p.failure(C.gpu_failed(d.gpu))
		return
	case d.seen.code != C.FAULT_NONE:
		p.outcome = p.fault(d.seen)
	default:
		p.outcome = nil
	}
	d.staged = 0
}

// failure says which call failed and how.
func (p *program) failure(f *C.gpu_failure) error {
	e := driverError(p.device.Name(), int(f.code))
	e.Doing, e.Index, e.Calls = C.GoString(&f.doing[0]), int(f.call), len(p.calls)
	if e.Index >= 0 {
		e.Kernel = p.calls[e.Index].Kernel
	}
	return e
}

// fault puts a record of the device into the words of kernels/cpu/checks.h.
func (p *program) fault(f *C.fault_record) error {
	call := &p.calls[f.call]
	fault := &kernels.Fault{Index: int(f.call), Kernel: call.Kernel}
	above := "is not below"
	var what, bound string
	switch f.code {
	case C.FAULT_TOKEN:
		what, bound = "token", "V"
	case C.FAULT_TARGET:
		what, bound = "target", "V"
	case C.FAULT_LABEL:
		what, bound = "label", "K"
	case C.FAULT_LENGTH:
		what, bound, above = "length", "T", "is above"
	case C.FAULT_START:
		fault.Message = fmt.Sprintf("start %d with T=%d rows passes P=%d", f.value, call.Dim("T"), f.limit)
		if f.value < 0 {
			fault.Message = fmt.Sprintf("start %d is below 0", f.value)
		}
		return fault
	}
	fault.Message = fmt.Sprintf("%s %d in row %d %s %s=%d", what, f.value, f.index, above, bound, f.limit)
	if f.value < 0 {
		fault.Message = fmt.Sprintf("%s %d in row %d is below 0", what, f.value, f.index)
	}
	return fault
}
