package cpu

// #include "run.h"
import "C"

import (
	"fmt"
	"unsafe"

	"atoll/kernels"
)

// buffer is C memory, or memory that was lent. Free may be called twice, but not while a program that holds it runs.
type buffer struct {
	start unsafe.Pointer
	size  int64
	lent  bool
}

// NewBuffer gives zeroed memory; the error says how many bytes the system refused.
func (d *Device) NewBuffer(bytes int64) (kernels.Buffer, error) {
	if bytes < 0 {
		return nil, fmt.Errorf("cpu: a buffer of %d bytes, want 0 or more", bytes)
	}
	start := C.atoll_alloc(C.size_t(bytes))
	if start == nil {
		return nil, fmt.Errorf("cpu: the system refused %d bytes (%.1f GiB): use a smaller batch or model, or free memory",
			bytes, float64(bytes)/(1<<30))
	}
	return &buffer{start: start, size: bytes}, nil
}

// Lend gives a buffer over memory that programs only read. See kernels.Lender.
func (d *Device) Lend(memory []byte) (kernels.Buffer, error) {
	if len(memory) == 0 {
		return nil, fmt.Errorf("cpu: no memory was lent, want some")
	}
	return &buffer{start: unsafe.Pointer(unsafe.SliceData(memory)), size: int64(len(memory)), lent: true}, nil
}

// NewExchange is NewBuffer: host and device are one.
func (d *Device) NewExchange(in, out int64) (kernels.Buffer, error) { return d.NewBuffer(in + out) }

func (b *buffer) Size() int64 { return b.size }

func (b *buffer) Bytes() []byte {
	if b.start == nil {
		return nil
	}
	return unsafe.Slice((*byte)(b.start), b.size)
}

func (b *buffer) Write(offset int64, src []byte) error {
	if err := b.check("write", offset, len(src)); err != nil {
		return err
	}
	if b.lent {
		return fmt.Errorf("cpu: write of %d bytes in memory that was lent to be read", len(src))
	}
	copy(b.Bytes()[offset:], src)
	return nil
}

func (b *buffer) Read(dst []byte, offset int64) error {
	if err := b.check("read", offset, len(dst)); err != nil {
		return err
	}
	copy(dst, b.Bytes()[offset:])
	return nil
}

func (b *buffer) check(verb string, offset int64, n int) error {
	if b.start == nil {
		return fmt.Errorf("cpu: %s of %d bytes in a buffer that was freed", verb, n)
	}
	if offset < 0 || offset > b.size-int64(n) {
		return fmt.Errorf("cpu: %s of %d bytes at offset %d, and the buffer has %d", verb, n, offset, b.size)
	}
	return nil
}

func (b *buffer) Free() {
	if b.start != nil && !b.lent {
		C.atoll_release(b.start, C.size_t(b.size))
	}
	b.start = nil
}
