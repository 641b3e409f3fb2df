package checkpoint

import (
	"encoding/binary"
	"fmt"

	"atoll/kernels"
	"atoll/model"
)

// Mapped is a file that holds all weights of a model as programs read them, in fp32.
type Mapped struct {
	Memory []byte           // the whole file; do not write to it, nor use it after the Checkpoint's Close
	First  map[string]int64 // the element of it, counted from the file's start, that each parameter begins at
}

// Map is Load for programs that read the weights where they lie, so that nothing is copied. It gives nil where that cannot be:
// weights in several files, in half precision, or not at a multiple of 4 bytes, and systems without mapped files. Names, shapes and
// values are checked as by Load. Whoever cuts the file short while it is in use ends this process.
func (c *Checkpoint) Map(params []model.Param) (*Mapped, error) {
	found, _, err := c.weights.match(params, nil)
	if err != nil || !isMapped || !littleEndian() || len(c.weights.files) != 1 {
		return nil, err
	}
	file := c.weights.files[0]
	m := &Mapped{Memory: file.data[:len(file.data)&^3], First: map[string]int64{}}
	for _, f := range found {
		s := file.header.spans[f.stored]
		at := file.header.dataAt + s.Offsets[0]
		if s.DType != F32 || at%4 != 0 {
			return nil, nil
		}
		m.First[f.param.Name] = at / 4
	}
	for _, f := range found {
		if err := f.checkFinite(); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// littleEndian tells whether this machine's numbers lie in memory as in the file.
func littleEndian() bool { return binary.NativeEndian.Uint16([]byte{1, 0}) == 1 }

// checkFinite reads all values of a tensor in the file.
func (m match) checkFinite() error {
	t, err := m.file.Tensor(m.stored)
	if err != nil {
		return err
	}
	values := kernels.Float32s(t.Data)
	return inParallel(len(values), func(lo, hi int) error {
		return guard(m.file.path, func() error { return m.finite(lo, values[lo:hi]) })
	})
}

// finite refuses values that are not, of the block that begins at an element.
func (m match) finite(at int, block []float32) error {
	if i := firstNotFinite(block); i >= 0 {
		return fmt.Errorf("%s: tensor %q: element %d is %v, want finite values: the model is broken, use an earlier checkpoint", m.file.path, m.stored, at+i, block[i])
	}
	return nil
}
