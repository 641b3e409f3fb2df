//go:build gpu

package cuda

// #include <stdlib.h>
// #include "run.h"
import "C"

import (
	"fmt"
	"slices"
	"unsafe"

	"gorgonia.org/cu"

	"atoll/kernels"
)

// program is a copy of the calls in C memory with their arguments resolved to addresses of the device.
type program struct {
	device    *Device
	calls     []kernels.Call
	bound     *C.gpu_program // nil once freed
	workspace int64          // the most that one of the calls wants
	outcome   error          // of the last run, once it was waited for
}

// NewProgram checks every call and binds it to the segments, which must be buffers of this device.
func (d *Device) NewProgram(calls []kernels.Call, segments []kernels.Buffer) (kernels.Program, error) {
	sizes := make([]int64, len(segments))
	starts := make([]cu.DevicePtr, len(segments))
	for i, s := range segments {
		b, ok := s.(*buffer)
		if !ok || b.device != d || b.start == 0 {
			return nil, fmt.Errorf("%s: segment %d is %T, want a buffer of this device that was not freed", d.Name(), i, s)
		}
		sizes[i], starts[i] = b.size, b.start
	}
	for i := range calls {
		if err := d.check(&calls[i], sizes); err != nil {
			return nil, fmt.Errorf("instruction %d: %w", i, err)
		}
	}
	p := &program{device: d, calls: slices.Clone(calls)}
	if !p.allocate() {
		return nil, fmt.Errorf("%s: the system refused memory for a program of %d calls", d.Name(), len(calls))
	}
	if err := p.exchange(segments); err != nil {
		p.Free()
		return nil, err
	}
	bound := unsafe.Slice(p.bound.calls, len(calls))
	for i := range calls {
		bind(&bound[i], &calls[i], starts)
	}
	if err := d.run(jobFunc(func() error { return p.size(bound) })); err != nil {
		p.Free()
		return nil, err
	}
	return p, nil
}

// exchange notes the segments that host and device share.
func (p *program) exchange(segments []kernels.Buffer) error {
	for _, s := range segments {
		b := s.(*buffer)
		if b.host == nil {
			continue
		}
		n := int(p.bound.exchange_count)
		if n == len(p.bound.exchanges) {
			return fmt.Errorf("%s: a program with more than %d exchanges: raise GPU_EXCHANGES in run.h", p.device.Name(), n)
		}
		p.bound.exchanges[n] = C.gpu_exchange{C.CUdeviceptr(b.start), (*C.char)(unsafe.Pointer(unsafe.SliceData(b.host))),
			C.size_t(b.in), C.size_t(b.size - b.out), C.size_t(b.size), b.staging}
		p.bound.exchange_count++
	}
	return nil
}

func (d *Device) check(call *kernels.Call, sizes []int64) error {
	if err := call.Check(sizes); err != nil {
		return err
	}
	if why := d.withheld[call.Kernel]; why != "" {
		return fmt.Errorf("%s does not use its kernel %v: %s: use the CPU", d.Name(), call.Kernel, why)
	}
	if !d.Has(call.Kernel) {
		return fmt.Errorf("%s has no kernel %v: use the CPU", d.Name(), call.Kernel)
	}
	return nil
}

// allocate gets the C memory of a program.
func (p *program) allocate() bool {
	bound := C.calloc(1, C.sizeof_gpu_program)
	calls := C.calloc(C.size_t(len(p.calls)+1), C.sizeof_gpu_bound)
	if bound == nil || calls == nil {
		C.free(bound)
		C.free(calls)
		return false
	}
	p.bound = (*C.gpu_program)(bound)
	p.bound.calls, p.bound.count = (*C.gpu_bound)(calls), C.int64_t(len(p.calls))
	return true
}

// kernels.Call is laid out as atoll_call: the sizes are equal here, or this does not compile; the order of the fields is
// the same in both, and they need no padding.
var _ [C.sizeof_atoll_call]byte = [unsafe.Sizeof(kernels.Call{})]byte{}

func bind(bound *C.gpu_bound, call *kernels.Call, starts []cu.DevicePtr) {
	bound.call = *(*C.atoll_call)(unsafe.Pointer(call))
	for i := range kernels.SignatureOf(call.Kernel).Args {
		if ref := call.Args[i]; ref != kernels.None {
			bound.arg[i] = C.CUdeviceptr(starts[ref.Segment()]) + C.CUdeviceptr(ref.Offset())
		}
	}
}

// size finds the workspace that the calls want, and gets it.
func (p *program) size(bound []C.gpu_bound) error {
	for i := range bound {
		p.workspace = max(p.workspace, int64(C.gpu_workspace_of(p.device.gpu, &bound[i].call)))
	}
	return p.device.reserve(p.workspace)
}

// reserve sees to it that the scratch memory, which all programs of the device share, has at least so many bytes. What was in
// it is lost: no call reads what another left there.
func (d *Device) reserve(bytes int64) error {
	if bytes <= d.scratchBytes {
		return nil
	}
	if err := d.synchronize("resizing the workspace"); err != nil {
		return err
	}
	// The old memory goes first, since both may not fit. A program that wants it gets it again at its next run.
	if d.scratch != 0 {
		if err := cu.MemFree(d.scratch); err != nil {
			return d.failure("resizing the workspace", err)
		}
	}
	d.scratch, d.scratchBytes = 0, 0
	p, err := d.allocate(bytes)
	if err != nil {
		return fmt.Errorf("workspace: %w", err)
	}
	d.scratch, d.scratchBytes = p, bytes
	C.gpu_set_scratch(d.gpu, C.CUdeviceptr(p))
	return nil
}

func (p *program) Free() {
	d := p.device
	d.mu.Lock()
	defer d.mu.Unlock()
	if p.bound == nil {
		return
	}
	if d.thread != nil { // else the graph went with the device
		_ = d.thread.run(jobFunc(func() error { d.finish(); C.gpu_program_clear(p.bound); return nil }))
	}
	C.free(unsafe.Pointer(p.bound.calls))
	C.free(unsafe.Pointer(p.bound))
	p.bound = nil
}
