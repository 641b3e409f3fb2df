package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
)

// File is an open safetensors file. Its tensors are memory-mapped where the system can, so opening costs the header only.
// Methods may be called from several goroutines until Close.
type File struct {
	path   string
	header *header
	data   []byte // the whole file
	unmap  func() error
}

// Tensor is a stored tensor. Data aliases the File's mapping: do not write to it nor use it after Close, and copy
// from it through ReadFloat32 where the file may be cut short by someone else meanwhile (a plain access would crash).
type Tensor struct {
	Name  string
	DType DType
	Shape []int // row-major; empty for a scalar
	Data  []byte
}

// OpenFile opens a safetensors file and checks its header against its size. The caller closes it.
func OpenFile(path string) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, openError(err)
	}
	defer file.Close() // the mapping outlives it
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: got a %v, want a safetensors file: name the file", path, info.Mode().Type())
	}
	data, unmap, err := mapFile(file, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: cannot be read: %w", path, err)
	}
	f := &File{path: path, data: data, unmap: unmap}
	err = guard(path, func() error {
		f.header, err = parseHeader(data, int64(len(data)))
		return err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), unmap())
	}
	return f, nil
}

func openError(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: check the path", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: give this user the right to read it", err)
	}
	return err
}

// Close ends the mapping; Tensor.Data of this file must not be used after it.
func (f *File) Close() error { return f.unmap() }

// Path returns the path that the file was opened by.
func (f *File) Path() string { return f.path }

// Names returns the names of the tensors, sorted.
func (f *File) Names() []string { return slices.Sorted(maps.Keys(f.header.spans)) }

// Metadata returns the header's free-form strings; Hugging Face writes {"format": "pt"}.
func (f *File) Metadata() map[string]string { return maps.Clone(f.header.metadata) }

// Tensor returns the tensor called name, without copying its values.
func (f *File) Tensor(name string) (Tensor, error) {
	s, ok := f.header.spans[name]
	if !ok {
		return Tensor{}, fmt.Errorf("%s: tensor %q is missing among %d: give a file that has it", f.path, name, len(f.header.spans))
	}
	data := f.data[f.header.dataAt+s.Offsets[0] : f.header.dataAt+s.Offsets[1]]
	return Tensor{Name: name, DType: s.DType, Shape: slices.Clone(s.Shape), Data: data}, nil
}

// ReadFloat32 converts the tensor called name, of type F32, F16 or BF16, into dst, which must have as many elements.
func (f *File) ReadFloat32(name string, dst []float32) error {
	return f.readFloat32(name, dst, func(int, []float32) error { return nil })
}

// readFloat32 is ReadFloat32 with a check of each block of values, at its place in the tensor, while it is in the cache.
// Blocks are converted and checked at the same time.
func (f *File) readFloat32(name string, dst []float32, check func(at int, block []float32) error) error {
	t, err := f.Tensor(name)
	if err != nil {
		return err
	}
	if !t.DType.float() {
		return fmt.Errorf("%s: tensor %q: got dtype %s, want F32, F16 or BF16: convert it", f.path, name, t.DType)
	}
	size := t.DType.Size()
	if len(t.Data) != len(dst)*size {
		return fmt.Errorf("%s: tensor %q: got %d elements of shape %v, want %d: give the model that this configuration describes", f.path, name, len(t.Data)/size, t.Shape, len(dst))
	}
	const block = 1 << 14 // 64 KiB of float32
	return inParallel(len(dst), func(lo, hi int) error {
		return guard(f.path, func() error {
			for at := lo; at < hi; at += block {
				values := dst[at:min(at+block, hi)]
				decodeFloat32(t.DType, t.Data[at*size:], values)
				if err := check(at, values); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// readChunk is how many elements one goroutine converts: 1 MiB of float32, little beside the cost of starting it.
const readChunk = 1 << 18

// inParallel calls do for consecutive ranges of [0, n) on as many goroutines as there are processors, at most four:
// more do not read memory faster. It returns the errors by position.
func inParallel(n int, do func(lo, hi int) error) error {
	workers := min(runtime.GOMAXPROCS(0), 4, (n+readChunk-1)/readChunk)
	if workers <= 1 {
		return do(0, n)
	}
	errs := make([]error, workers)
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() { errs[w] = do(w*n/workers, (w+1)*n/workers) })
	}
	wait.Wait()
	return errors.Join(errs...)
}

// guard runs read and turns a fault in mapped memory, which happens when the file is cut short after it was opened or
// its disk fails, into an error. Any other panic goes on.
func guard(path string, read func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch cause := recover().(type) {
		case nil:
		case interface {
			runtime.Error
			Addr() uintptr
		}:
			err = fmt.Errorf("%s: a page could not be read: the file was cut short while in use, or its disk fails", path)
		default:
			panic(cause)
		}
	}()
	return read()
}
