//go:build gpu

package cuda

// #include "run.h"
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	"gorgonia.org/cu"

	"atoll/kernels"
)

// buffer is memory of the device. Free may be called twice, but not while a program that holds it runs.
type buffer struct {
	device *Device
	start  cu.DevicePtr // 0 once freed
	size   int64
	host   []byte // of an exchange: its pinned memory; programs copy the first in bytes from it and the last out bytes to it
	in     int64
	out    int64

	staging *C.gpu_staging // of an exchange whose inputs are handed over ahead; else nil
}

// NewBuffer gives zeroed memory; an *OutOfMemoryError says how many bytes there are.
func (d *Device) NewBuffer(bytes int64) (kernels.Buffer, error) {
	if bytes < 0 {
		return nil, fmt.Errorf("%s: a buffer of %d bytes, want 0 or more", d.Name(), bytes)
	}
	b := &buffer{device: d, size: bytes}
	err := d.run(jobFunc(func() (err error) {
		if b.start, err = d.allocate(bytes); err != nil {
			return err
		}
		d.buffers[b] = struct{}{}
		if err := cu.MemsetD8Async(b.start, 0, max(bytes, 1), d.stream); err != nil {
			return d.failure("zeroing a buffer", err)
		}
		return nil
	}))
	if err != nil {
		b.Free()
		return nil, err
	}
	return b, nil
}

// NewExchange gives memory of the device with as much pinned memory of the host beside it.
func (d *Device) NewExchange(in, out int64) (kernels.Buffer, error) {
	b, err := d.newExchange(in, out)
	if err != nil {
		return nil, err
	}
	return b, nil
}

func (d *Device) newExchange(in, out int64) (*buffer, error) {
	made, err := d.NewBuffer(in + out)
	if err != nil {
		return nil, err
	}
	b := made.(*buffer)
	b.in, b.out = in, out
	if err := d.run(jobFunc(b.pin)); err != nil {
		b.Free()
		return nil, err
	}
	return b, nil
}

// pin gets the host's side of an exchange, zeroed.
func (b *buffer) pin() error {
	p, err := b.device.pinned(max(b.size, 1))
	if err == nil {
		b.host = unsafe.Slice((*byte)(p), b.size)
		clear(b.host)
	}
	return err
}

// allocate gives memory of the device, at least a byte of it: the driver refuses none at all.
func (d *Device) allocate(bytes int64) (cu.DevicePtr, error) {
	p, err := cu.MemAlloc(max(bytes, 1))
	if err == cu.OutOfMemory {
		free, total, err := cu.MemInfo()
		if err != nil {
			return 0, d.failure(fmt.Sprintf("allocating %d bytes", bytes), cu.OutOfMemory)
		}
		return 0, &OutOfMemoryError{d.Name(), bytes, free, total}
	}
	if err != nil {
		return 0, d.failure(fmt.Sprintf("allocating %d bytes", bytes), err)
	}
	return p, nil
}

func (b *buffer) Size() int64 { return b.size }

// Bytes is the host's side of an exchange, nil for other memory, which the host does not reach.
func (b *buffer) Bytes() []byte { return b.host }

// Write returns when src is in pinned memory; what is asked of the device later comes after the copy from there. In an exchange
// Write and Read are about the host's side.
func (b *buffer) Write(offset int64, src []byte) error {
	if err := b.check("write", offset, len(src)); err != nil {
		return err
	}
	if b.host != nil {
		copy(b.host[offset:], src)
		return nil
	}
	return b.device.copy(transfer{b.device, b, offset, src, true})
}

func (b *buffer) Read(dst []byte, offset int64) error {
	if err := b.check("read", offset, len(dst)); err != nil {
		return err
	}
	if b.host != nil {
		copy(dst, b.host[offset:])
		return nil
	}
	return b.device.copy(transfer{b.device, b, offset, dst, false})
}

func (b *buffer) check(verb string, offset int64, n int) error {
	if offset < 0 || offset > b.size-int64(n) {
		return fmt.Errorf("%s: %s of %d bytes at offset %d, and the buffer has %d", b.device.Name(), verb, n, offset, b.size)
	}
	return nil
}

// transfer is a copy between host and device. It is a value of the device, so that a step's copies allocate nothing.
type transfer struct {
	device *Device
	buffer *buffer
	offset int64
	host   []byte
	write  bool
}

func (d *Device) copy(t transfer) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.thread == nil {
		return fmt.Errorf("%s: it was closed", d.Name())
	}
	d.transfer = t
	err := d.thread.run(&d.transfer)
	d.transfer = transfer{}
	return err
}

func (t *transfer) do() error {
	switch {
	case t.buffer.start == 0:
		return fmt.Errorf("%s: a copy of %d bytes to or from a buffer that was freed", t.device.Name(), len(t.host))
	case t.write:
		return t.upload()
	}
	return t.download()
}

// upload copies through as much of the pinned memory as is free, and waits for the device only where none is.
func (t *transfer) upload() error {
	d := t.device
	for len(t.host) > 0 {
		if d.staged == len(d.staging) {
			if err := d.synchronize("copying to the device"); err != nil {
				return err
			}
		}
		room := d.staging[d.staged:]
		n := copy(room, t.host)
		if err := cu.MemcpyHtoDAsync(t.buffer.start+cu.DevicePtr(t.offset), unsafe.Pointer(&room[0]), int64(n), d.stream); err != nil {
			return d.failure("copying to the device", err)
		}
		d.staged += n
		t.offset += int64(n)
		t.host = t.host[n:]
	}
	return nil
}

// download waits for what uses the pinned memory, then copies through all of it.
func (t *transfer) download() error {
	d := t.device
	if d.staged > 0 {
		if err := d.synchronize("copying from the device"); err != nil {
			return err
		}
	}
	for len(t.host) > 0 {
		n := min(len(t.host), len(d.staging))
		if err := cu.MemcpyDtoHAsync(unsafe.Pointer(&d.staging[0]), t.buffer.start+cu.DevicePtr(t.offset), int64(n), d.stream); err != nil {
			return d.failure("copying from the device", err)
		}
		if err := d.synchronize("copying from the device"); err != nil {
			return err
		}
		copy(t.host, d.staging[:n])
		t.offset += int64(n)
		t.host = t.host[n:]
	}
	return nil
}

func (b *buffer) Free() {
	d := b.device
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.thread == nil || b.start == 0 {
		return
	}
	// What was asked of the memory may not be done yet. A device that is lost refuses all; whoever uses it next is told.
	_ = d.thread.run(jobFunc(func() error {
		d.finish()
		return errors.Join(d.synchronize("freeing a buffer"), d.copies.Synchronize(), b.release())
	}))
	delete(d.buffers, b)
}

// release gives the memory back; the error is the driver's first.
func (b *buffer) release() error {
	err := cu.MemFree(b.start)
	if b.host != nil {
		if unpinned := cu.MemFreeHost(unsafe.Pointer(unsafe.SliceData(b.host))); err == nil {
			err = unpinned
		}
	}
	if cleared := b.unstage(); err == nil {
		err = cleared
	}
	b.start, b.host = 0, nil
	return err
}
