package kerneltest

import (
	"bytes"
	"fmt"
	"math"

	"atoll/kernels"
)

const (
	segmentCount = 2   // arguments are dealt out to this many segments
	guardBytes   = 256 // at least this much between arguments and around them
)

// guard is what lies around the arguments: two 16-bit words that are a NaN in bf16 and in fp16, together a NaN in fp32,
// and as an int32 far outside of any range of indexes.
var guard = [4]byte{0xa5, 0xff, 0xb6, 0x7f}

// layout is the memory of a case before it runs: each argument at an aligned offset (or off it by the case's shift), guards
// between them.
type layout struct {
	calls []kernels.Call
	image [][]byte // the segments
	args  []placed
}

// placed is one argument in its segment.
type placed struct {
	name        string
	dtype       kernels.DType
	present     bool
	compared    bool // an output that ref specifies
	unchanged   bool // an input that shares its memory with no output
	segment     int
	offset, end int64
	shape       []int64
}

// newLayout places the arguments of a case and fills them: inputs with their values, outputs with NaN.
func newLayout(c Case, precision kernels.DType, values *inputs) (*layout, error) {
	l := &layout{calls: []kernels.Call{c.call(precision)}, image: make([][]byte, segmentCount)}
	call := &l.calls[0]
	for i := range l.image {
		l.image[i] = fill(nil, guardBytes)
	}
	for i, arg := range kernels.SignatureOf(c.Kernel).Args {
		if c.absent(arg.Name) {
			l.args = append(l.args, placed{name: arg.Name})
			continue
		}
		p := placed{name: arg.Name, dtype: call.DTypeOf(i), present: true, segment: i % segmentCount,
			compared:  arg.Access != kernels.In && !unspecified(c.Kernel, arg.Name),
			unchanged: arg.Access == kernels.In && arg.Name != c.Alias.Read, shape: shapeOf(call, i)}
		content, err := contents(c, i, p.dtype, values)
		if err != nil {
			return nil, fmt.Errorf("argument %s: %w", arg.Name, err)
		}
		l.place(&p, content, c.Shift*p.dtype.Size())
		l.args = append(l.args, p)
	}
	l.alias(c)
	for i, p := range l.args {
		if p.present {
			call.Args[i] = kernels.At(p.segment, p.offset)
		}
	}
	return l, nil
}

// place appends content to the argument's segment, shift bytes behind an aligned offset, and a guard after it.
func (l *layout) place(p *placed, content []byte, shift int) {
	image := l.image[p.segment]
	for range shift {
		image = append(image, guard[len(image)%len(guard)])
	}
	p.offset = int64(len(image))
	image = append(image, content...)
	p.end = int64(len(image))
	l.image[p.segment] = fill(image, guardBytes)
}

// alias moves the written argument of the case's alias onto the read one. Its own place stays as another guard, full of
// NaN.
func (l *layout) alias(c Case) {
	for i := range l.args {
		for _, read := range l.args {
			if l.args[i].name == c.Alias.Written && read.name == c.Alias.Read {
				l.args[i].segment, l.args[i].offset, l.args[i].end = read.segment, read.offset, read.end
			}
		}
	}
}

// fill appends guards to image: at least count bytes, up to a multiple of the alignment.
func fill(image []byte, count int) []byte {
	for end := len(image) + count; len(image) < end || len(image)%kernels.Alignment != 0; {
		image = append(image, guard[len(image)%len(guard)])
	}
	return image
}

// contents are the bytes of argument i before the run.
func contents(c Case, i int, dtype kernels.DType, values *inputs) ([]byte, error) {
	if dtype == kernels.I32 {
		return kernels.BytesOf(values.ints[i]), nil
	}
	x := values.floats[i]
	arg := kernels.SignatureOf(c.Kernel).Args[i]
	if arg.Access == kernels.Out || arg.Access == kernels.Sum && !c.accumulates(arg.Name) {
		x = make([]float32, len(x))
		for j := range x {
			x[j] = float32(math.NaN())
		}
	}
	content := make([]byte, len(x)*dtype.Size())
	return content, kernels.Narrow(content, x, dtype)
}

// floats decodes argument i from memory. A word of a packed weight gives its two halves, as whole numbers, or as bf16 where they are compared so.
func (l *layout) floats(memory [][]byte, i int) ([]float32, error) {
	p := l.args[i]
	raw := memory[p.segment][p.offset:p.end]
	if updatedWords(l.calls[0].Kernel, p.name) {
		x := make([]float32, len(raw)/2)
		return x, kernels.Widen(x, raw, kernels.BF16)
	}
	if p.dtype == kernels.I32 {
		halves := make([]float32, 0, len(raw)/2)
		for _, h := range kernels.Uint16s(raw) {
			halves = append(halves, float32(h))
		}
		return halves, nil
	}
	x := make([]float32, len(raw)/p.dtype.Size())
	return x, kernels.Widen(x, raw, p.dtype)
}

// damage is what a run did to memory that it may only read: inputs and guards.
func (l *layout) damage(memory [][]byte) []error {
	var problems []error
	guards := make([][]byte, len(memory)) // the memory with everything that is not guard as it was before
	for i := range guards {
		guards[i] = bytes.Clone(memory[i])
	}
	for _, p := range l.args {
		if !p.present {
			continue
		}
		was := l.image[p.segment][p.offset:p.end]
		if p.unchanged && !bytes.Equal(memory[p.segment][p.offset:p.end], was) {
			problems = append(problems, fmt.Errorf("argument %s is an input, and it was changed", p.name))
		}
		copy(guards[p.segment][p.offset:p.end], was)
	}
	for s := range memory {
		if bytes.Equal(guards[s], l.image[s]) {
			continue
		}
		at := 0
		for guards[s][at] == l.image[s][at] {
			at++
		}
		problems = append(problems, fmt.Errorf("a byte outside of every argument was written: %s", l.nearest(s, int64(at))))
	}
	return problems
}

// nearest says where a byte lies by the argument that is closest to it.
func (l *layout) nearest(segment int, at int64) string {
	where, least := "", int64(math.MaxInt64)
	for _, p := range l.args {
		if !p.present || p.segment != segment {
			continue
		}
		if d := at - p.end; d >= 0 && d < least {
			where, least = fmt.Sprintf("%d bytes past the end of %s", d, p.name), d
		}
		if d := p.offset - at; d > 0 && d < least {
			where, least = fmt.Sprintf("%d bytes before %s", d, p.name), d
		}
	}
	return where
}

// differing names the outputs whose bits are not the same in a and b.
func (l *layout) differing(a, b [][]byte) []string {
	var names []string
	for _, p := range l.args {
		if p.compared && !bytes.Equal(a[p.segment][p.offset:p.end], b[p.segment][p.offset:p.end]) {
			names = append(names, p.name)
		}
	}
	return names
}
