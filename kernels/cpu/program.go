package cpu

// #include <stdlib.h>
// #include "run.h"
import "C"

import (
	"fmt"
	"unsafe"

	"atoll/kernels"
)

// program is a copy of the calls in C memory with their arguments resolved to addresses.
type program struct {
	device *Device
	calls  *C.atoll_bound // as many as names; nil once freed
	names  []kernels.Kernel
	reason *C.char // room for a fault's message
}

// NewProgram checks every call and binds it to the segments, which must be buffers of this package.
func (d *Device) NewProgram(calls []kernels.Call, segments []kernels.Buffer) (kernels.Program, error) {
	sizes := make([]int64, len(segments))
	for i, s := range segments {
		b, ok := s.(*buffer)
		if !ok || b.start == nil {
			return nil, fmt.Errorf("cpu: segment %d is %T, want a buffer of this device that was not freed", i, s)
		}
		sizes[i] = b.size
	}
	for i := range calls {
		if err := calls[i].Check(sizes); err != nil {
			return nil, fmt.Errorf("instruction %d: %w", i, err)
		}
	}
	p := &program{device: d, names: make([]kernels.Kernel, len(calls))}
	room := C.calloc(C.size_t(len(calls)+1), C.sizeof_atoll_bound)
	reason := C.calloc(1, C.ATOLL_ERROR_BYTES)
	if room == nil || reason == nil {
		C.free(room)
		C.free(reason)
		return nil, fmt.Errorf("cpu: the system refused memory for a program of %d calls", len(calls))
	}
	p.calls, p.reason = (*C.atoll_bound)(room), (*C.char)(reason)
	bound := unsafe.Slice(p.calls, len(calls))
	for i := range calls {
		p.names[i] = calls[i].Kernel
		bind(&bound[i], &calls[i], segments)
	}
	return p, nil
}

// kernels.Call is laid out as atoll_call: the sizes are equal here, or this does not compile; the order of the fields is
// the same in both, and they need no padding.
var _ [C.sizeof_atoll_call]byte = [unsafe.Sizeof(kernels.Call{})]byte{}

func bind(bound *C.atoll_bound, call *kernels.Call, segments []kernels.Buffer) {
	bound.call = *(*C.atoll_call)(unsafe.Pointer(call))
	for i := range kernels.SignatureOf(call.Kernel).Args {
		if ref := call.Args[i]; ref != kernels.None {
			bound.arg[i] = unsafe.Add(segments[ref.Segment()].(*buffer).start, ref.Offset())
		}
	}
}

// Run is one call into C and allocates nothing unless a kernel fails.
func (p *program) Run() error { return p.replay(nil) }

// RunTimed is Run through another loop in C, which reads the clock between calls.
func (p *program) RunTimed(took []float64) error {
	if len(took) != len(p.names) {
		return fmt.Errorf("cpu: room for the times of %d calls, the program has %d", len(took), len(p.names))
	}
	return p.replay(took)
}

// replay runs the calls, and times them where took is there for it.
func (p *program) replay(took []float64) error {
	d := p.device
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.team == nil || p.calls == nil {
		return fmt.Errorf("cpu: run of a program that was freed, or whose device was closed")
	}
	failed := C.int64_t(-1)
	if n := C.int64_t(len(p.names)); len(took) == 0 {
		failed = C.atoll_run(d.team, d.variant, p.calls, n, p.reason)
	} else {
		failed = C.atoll_run_timed(d.team, d.variant, p.calls, n, p.reason, (*C.double)(unsafe.SliceData(took)))
	}
	if failed < 0 {
		return nil
	}
	return &kernels.Fault{Index: int(failed), Kernel: p.names[failed], Message: C.GoString(p.reason)}
}

func (p *program) Free() {
	p.device.mu.Lock()
	defer p.device.mu.Unlock()
	if p.calls != nil {
		C.free(unsafe.Pointer(p.calls))
		C.free(unsafe.Pointer(p.reason))
		p.calls = nil
	}
}
