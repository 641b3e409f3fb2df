package checkpoint

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
)

// A safetensors file is: the header's length as 8 little-endian bytes; the header, a JSON object from tensor name to
// {"dtype", "shape", "data_offsets": [begin, end]} with offsets counted from the header's end, padded with spaces; then
// the values, without gaps. See https://github.com/huggingface/safetensors#format.
const (
	lengthBytes = 8
	maxHeader   = 100_000_000 // the limit of Hugging Face's own library
	dataAlign   = 64          // where atoll starts the values; the library aligns to 8
	metadataKey = "__metadata__"
)

// span describes one tensor of a file.
type span struct {
	DType   DType   `json:"dtype"`
	Shape   []int   `json:"shape"`
	Offsets []int64 `json:"data_offsets"` // begin and end
}

// header is a parsed and checked header; the values of a file begin at offset dataAt.
type header struct {
	spans    map[string]span
	metadata map[string]string
	dataAt   int64
}

// parseHeader reads the header of a file that begins with start and is size bytes long. start holds at least the first
// 8 bytes and the header, as far as the file has them. Every span lies inside the file and fits its type and shape;
// together they cover all of the values, without gap or overlap.
func parseHeader(start []byte, size int64) (*header, error) {
	if size < lengthBytes {
		return nil, fmt.Errorf("got %d bytes, want a header of 8 bytes or more: the file is cut short, copy it again", size)
	}
	length := binary.LittleEndian.Uint64(start)
	if length > maxHeader {
		return nil, fmt.Errorf("header says it is %d bytes long, want at most %d: this is no safetensors file", length, maxHeader)
	}
	dataAt := lengthBytes + int64(length)
	if dataAt > size {
		return nil, fmt.Errorf("got %d bytes, want %d for the header alone: the file is cut short, copy it again", size, dataAt)
	}
	h := &header{spans: map[string]span{}, dataAt: dataAt}
	if err := h.decode(start[lengthBytes:dataAt]); err != nil {
		return nil, err
	}
	return h, h.checkCover(size - dataAt)
}

// decode walks the JSON object by tokens, since decoding it into a map would let a repeated name hide the first.
func (h *header) decode(text []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return fmt.Errorf("header is no JSON object (%v): this is no safetensors file, or it is damaged", cmp.Or(err, errors.New("another value")))
	}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return fmt.Errorf("header is damaged: %w: copy the file again", err)
		}
		name := token.(string) // inside an object the decoder yields string keys only
		if err := h.decodeEntry(decoder, name); err != nil {
			return err
		}
	}
	if _, err := decoder.Token(); err != nil {
		return fmt.Errorf("header is damaged: %w: copy the file again", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return fmt.Errorf("header goes on after its JSON object, want spaces only: the file is damaged, copy it again")
	}
	return nil
}

func (h *header) decodeEntry(decoder *json.Decoder, name string) error {
	if name == metadataKey {
		if err := decoder.Decode(&h.metadata); err != nil {
			return fmt.Errorf("%s: %w, want an object of strings: write the file again", metadataKey, err)
		}
		return nil
	}
	if _, twice := h.spans[name]; twice {
		return fmt.Errorf("tensor %q is described twice, want once: write the file again", name)
	}
	var s span
	if err := decoder.Decode(&s); err != nil {
		return fmt.Errorf("tensor %q: %w, want dtype, shape and data_offsets: write the file again", name, err)
	}
	if s.DType.Size() == 0 {
		return fmt.Errorf("tensor %q: got dtype %q, want one of F32, F16, BF16, F64, F8_E4M3, F8_E5M2, I64, I32, I16, I8, U64, U32, U16, U8, BOOL: convert it", name, s.DType)
	}
	if s.Shape == nil || len(s.Offsets) != 2 {
		return fmt.Errorf("tensor %q: got shape %v and data_offsets %v, want a list and a pair: write the file again", name, s.Shape, s.Offsets)
	}
	want, err := byteLength(s.DType, s.Shape)
	if err != nil {
		return fmt.Errorf("tensor %q: %w", name, err)
	}
	begin, end := s.Offsets[0], s.Offsets[1]
	if begin < 0 || end < begin {
		return fmt.Errorf("tensor %q: got data_offsets [%d, %d], want 0 <= begin <= end: write the file again", name, begin, end)
	}
	if end-begin != want {
		return fmt.Errorf("tensor %q: got %d bytes for %s %v, want %d: write the file again", name, end-begin, s.DType, s.Shape, want)
	}
	h.spans[name] = s
	return nil
}

// checkCover holds the spans against size bytes of values.
func (h *header) checkCover(size int64) error {
	at := int64(0)
	for _, name := range h.inFileOrder() {
		s := h.spans[name]
		if s.Offsets[0] < at {
			return fmt.Errorf("tensor %q begins at %d, inside the one before it that ends at %d: the file is damaged, copy it again", name, s.Offsets[0], at)
		}
		if s.Offsets[0] > at {
			return fmt.Errorf("tensor %q begins at %d, want %d, where the one before it ends: the file is damaged, copy it again", name, s.Offsets[0], at)
		}
		if s.Offsets[1] > size {
			return fmt.Errorf("tensor %q ends at %d, but the file holds %d bytes of values: it is cut short, copy it again", name, s.Offsets[1], size)
		}
		at = s.Offsets[1]
	}
	if at != size {
		return fmt.Errorf("got %d bytes of values, want %d: the file is damaged, copy it again", size, at)
	}
	return nil
}

func (h *header) inFileOrder() []string {
	names := make([]string, 0, len(h.spans))
	for name := range h.spans {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(slices.Compare(h.spans[a].Offsets, h.spans[b].Offsets), cmp.Compare(a, b))
	})
	return names
}

// byteLength returns the bytes of a tensor; an empty shape is a scalar.
func byteLength(d DType, shape []int) (int64, error) {
	n := int64(d.Size())
	for _, dim := range shape {
		if dim < 0 {
			return 0, fmt.Errorf("got shape %v, want no negative dimension: write it again", shape)
		}
		if dim > 0 && n > math.MaxInt64/int64(dim) {
			return 0, fmt.Errorf("got shape %v, want fewer elements than an address space holds: write it again", shape)
		}
		n *= int64(dim)
	}
	return n, nil
}
