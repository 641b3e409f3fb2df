package ref

import (
	"errors"
	"fmt"
	"unsafe"

	"atoll/kernels"
)

// New is a device that runs every call with Run. Its programs allocate while they run, for the copies of
// half-precision arguments; otherwise it keeps the contract of kernels.Device.
func New() kernels.Device { return device{} }

type device struct{}

func (device) Name() string     { return "ref" }
func (device) Describe() string { return "reference loops in Go, float64 sums, 1 thread" }
func (device) Close() error     { return nil }

func (device) NewBuffer(bytes int64) (kernels.Buffer, error) {
	if bytes < 0 {
		return nil, fmt.Errorf("ref: buffer of %d bytes: want 0 or more", bytes)
	}
	memory := make([]byte, bytes+kernels.Alignment)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(memory))) % kernels.Alignment
	return &buffer{memory[skip:][:bytes:bytes]}, nil
}

func (d device) NewExchange(in, out int64) (kernels.Buffer, error) { return d.NewBuffer(in + out) }

func (device) NewProgram(calls []kernels.Call, segments []kernels.Buffer) (kernels.Program, error) {
	sizes := make([]int64, len(segments))
	memory := make([][]byte, len(segments))
	for i, s := range segments {
		sizes[i], memory[i] = s.Size(), s.Bytes()
	}
	for i := range calls {
		if err := calls[i].Check(sizes); err != nil {
			return nil, fmt.Errorf("instruction %d: %w", i, err)
		}
	}
	return &program{append([]kernels.Call(nil), calls...), memory}, nil
}

type buffer struct{ memory []byte }

func (b *buffer) Size() int64   { return int64(len(b.memory)) }
func (b *buffer) Bytes() []byte { return b.memory }
func (b *buffer) Free()         { b.memory = nil }

func (b *buffer) Write(offset int64, src []byte) error {
	if err := b.within(offset, len(src)); err != nil {
		return err
	}
	copy(b.memory[offset:], src)
	return nil
}

func (b *buffer) Read(dst []byte, offset int64) error {
	if err := b.within(offset, len(dst)); err != nil {
		return err
	}
	copy(dst, b.memory[offset:])
	return nil
}

func (b *buffer) within(offset int64, bytes int) error {
	if offset < 0 || offset > b.Size()-int64(bytes) {
		return fmt.Errorf("ref: %d bytes at offset %d are outside of a buffer of %d bytes", bytes, offset, b.Size())
	}
	return nil
}

type program struct {
	calls    []kernels.Call
	segments [][]byte
}

func (p *program) Run() error {
	for i := range p.calls {
		if err := Run(&p.calls[i], p.segments); err != nil {
			var f *kernels.Fault
			if errors.As(err, &f) {
				f.Index = i
			}
			return err
		}
	}
	return nil
}

func (p *program) Free() { p.calls = nil }
