//go:build gpu

package cuda

// #include <stdlib.h>
// #include "run.h"
import "C"

import (
	"fmt"
	"unsafe"

	"gorgonia.org/cu"

	"atoll/kernels"
)

// NewStaged gives an exchange whose inputs a stream of their own uploads beside a run. The run that reads them begins with a copy
// within the device, in front of its graph.
func (d *Device) NewStaged(in, out int64) (kernels.Staged, error) {
	b, err := d.newExchange(in, out)
	if err != nil {
		return nil, err
	}
	if err := d.run(jobFunc(b.stage)); err != nil {
		b.Free()
		return nil, err
	}
	return b, nil
}

// stage makes two areas for the inputs of runs to come, each with pinned memory of the host and memory of the device.
func (b *buffer) stage() error {
	d := b.device
	b.staging = (*C.gpu_staging)(C.calloc(1, C.sizeof_gpu_staging))
	if b.staging == nil {
		return fmt.Errorf("%s: the system refused memory for the inputs of later runs", d.Name())
	}
	s := b.staging
	s.bytes = C.size_t(b.in)
	for i := range s.host {
		p, err := d.pinned(max(b.in, 1))
		if err != nil {
			return err
		}
		s.host[i] = (*C.char)(p)
		clear(unsafe.Slice((*byte)(p), b.in))
		start, err := d.allocate(b.in)
		if err != nil {
			return err
		}
		s.device[i] = C.CUdeviceptr(start)
	}
	if code := C.gpu_staging_start(s); code != 0 {
		e := driverError(d.Name(), int(code))
		e.Doing = "making events"
		return e
	}
	return nil
}

// unstage gives back what stage made; the error is the driver's first.
func (b *buffer) unstage() error {
	s := b.staging
	if s == nil {
		return nil
	}
	var first error
	note := func(err error) {
		if first == nil {
			first = err
		}
	}
	C.gpu_staging_clear(s)
	for i := range s.host {
		if s.device[i] != 0 {
			note(cu.MemFree(cu.DevicePtr(s.device[i])))
		}
		if s.host[i] != nil {
			note(cu.MemFreeHost(unsafe.Pointer(s.host[i])))
		}
	}
	C.free(unsafe.Pointer(s))
	b.staging = nil
	return first
}

// Next is the pinned memory of the area that the next upload takes; nil where the exchange has none.
func (b *buffer) Next() []byte {
	if b.staging == nil {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(b.staging.host[b.staging.next])), b.in)
}

func (b *buffer) Upload() error { return b.device.run((*upload)(b)) }

// upload is an exchange as the job that hands over what Next holds.
type upload buffer

func (u *upload) do() error {
	d := u.device
	switch {
	case u.staging == nil:
		return fmt.Errorf("%s: an upload to memory that is no staged exchange, or was freed", d.Name())
	case u.staging.waiting != 0:
		return fmt.Errorf("%s: an upload of %d bytes, and the one before it waits for its run: want a run between them", d.Name(), u.in)
	}
	if code := C.gpu_stage(d.gpu, u.staging); code != 0 {
		e := driverError(d.Name(), int(code))
		e.Doing = "uploading the inputs of the next run"
		return e
	}
	return nil
}
