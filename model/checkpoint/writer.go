package checkpoint

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// Source is a tensor to be written. Write puts its values, little-endian, into w: a callback, so that a model is copied
// off its device piece by piece and never held twice.
type Source struct {
	Name  string
	DType DType
	Shape []int
	Write func(w io.Writer) error
}

// Float32 returns a Source of type F32 over values, which must not change until it is written.
func Float32(name string, shape []int, values []float32) Source {
	return Source{Name: name, DType: F32, Shape: shape, Write: func(w io.Writer) error { return WriteFloat32(w, values) }}
}

// Bytes returns a Source of values that are already little-endian bytes.
func Bytes(name string, d DType, shape []int, values []byte) Source {
	return Source{Name: name, DType: d, Shape: shape, Write: func(w io.Writer) error {
		_, err := w.Write(values)
		return err
	}}
}

// WriteFloat32 writes values to w as little-endian bytes, in pieces of bounded size.
func WriteFloat32(w io.Writer, values []float32) error {
	const piece = 1 << 16 // elements; 256 KiB of bytes stay in the cache between conversion, checksum and copy
	buffer := make([]byte, 4*min(piece, len(values)))
	for chunk := range slices.Chunk(values, piece) {
		encodeSingles(chunk, buffer)
		if _, err := w.Write(buffer[:4*len(chunk)]); err != nil {
			return err
		}
	}
	return nil
}

// WriteFile writes tensors to w as a safetensors file, ordered as Hugging Face's library does: by type (see known), then
// by name.
func WriteFile(w io.Writer, tensors []Source) error {
	ordered := slices.Clone(tensors)
	slices.SortFunc(ordered, func(a, b Source) int {
		return cmp.Or(cmp.Compare(a.DType.place(), b.DType.place()), cmp.Compare(a.Name, b.Name))
	})
	start, err := encodeHeader(ordered)
	if err != nil {
		return err
	}
	if _, err := w.Write(start); err != nil {
		return err
	}
	for _, t := range ordered {
		if err := writeTensor(w, t); err != nil {
			return err
		}
	}
	return nil
}

// encodeHeader returns the length and the header of a file that holds tensors in their given order.
func encodeHeader(tensors []Source) ([]byte, error) {
	entries := map[string]any{metadataKey: map[string]string{"format": "pt"}}
	at := int64(0)
	for _, t := range tensors {
		if _, twice := entries[t.Name]; twice {
			return nil, fmt.Errorf("tensor %q is given twice or has a reserved name: give each its own", t.Name)
		}
		if t.DType.Size() == 0 {
			return nil, fmt.Errorf("tensor %q: got dtype %q, want one that safetensors knows: convert it", t.Name, t.DType)
		}
		n, err := byteLength(t.DType, t.Shape)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		shape := t.Shape
		if shape == nil {
			shape = []int{} // null is no shape
		}
		entries[t.Name] = span{DType: t.DType, Shape: shape, Offsets: []int64{at, at + n}}
		at += n
	}
	text, err := json.Marshal(entries)
	if err != nil {
		return nil, err
	}
	for (lengthBytes+len(text))%dataAlign != 0 {
		text = append(text, ' ')
	}
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...), nil
}

// writeTensor calls t.Write and holds it to the bytes that the header announced.
func writeTensor(w io.Writer, t Source) error {
	want, err := byteLength(t.DType, t.Shape)
	if err != nil {
		return err
	}
	counted := &countingWriter{w: w, left: want}
	if err := t.Write(counted); err != nil {
		return fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	if counted.left != 0 {
		return fmt.Errorf("tensor %q: got %d bytes too few for %s %v: write all of its values", t.Name, counted.left, t.DType, t.Shape)
	}
	return nil
}

// countingWriter passes on at most left bytes.
type countingWriter struct {
	w    io.Writer
	left int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	if int64(len(p)) > c.left {
		return 0, fmt.Errorf("got %d bytes more than its shape holds: write its values only", int64(len(p))-c.left)
	}
	n, err := c.w.Write(p)
	c.left -= int64(n)
	return n, err
}
