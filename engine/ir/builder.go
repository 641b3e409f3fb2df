package ir

import (
	"fmt"

	"atoll/kernels"
)

// Builder collects values and instructions. The first mistake is kept and returned by Program, so that rules read as
// straight lines.
//
// An operation with several results (a norm with its statistics, a backward kernel with three gradients) is one
// instruction; Remember notes its further results under the value that stands for it, and Recall finds them when the
// nodes that want them come along.
type Builder struct {
	p       Program
	related map[relation]ID
	maker   map[ID]int // the instruction that first wrote a value
	err     error
}

type relation struct {
	of   ID
	name string
}

// NewBuilder gives an empty list.
func NewBuilder() *Builder {
	return &Builder{related: map[relation]ID{}, maker: map[ID]int{}}
}

// Args names the arguments of an instruction.
type Args map[string]ID

// Dims names the dims of an instruction.
type Dims map[string]int

// Value adds a value.
func (b *Builder) Value(v Value) ID {
	b.p.Values = append(b.p.Values, v)
	return ID(len(b.p.Values) - 1)
}

// Temp adds a fp32 temporary of the given shape; the precision pass may narrow it.
func (b *Builder) Temp(shape ...int) ID {
	return b.Value(Value{Shape: shape})
}

// Shape is the shape of v.
func (b *Builder) Shape(v ID) []int { return b.p.Values[v].Shape }

// Emit adds an instruction. Arguments not named are absent, dims not named are 0.
func (b *Builder) Emit(k kernels.Kernel, args Args, dims Dims, scalars ...float32) {
	i := Instr{Kernel: k}
	for at := range i.Args {
		i.Args[at] = None
	}
	for name, v := range args {
		b.fail(i.SetArg(name, v))
	}
	for name, d := range dims {
		b.fail(i.SetDim(name, int64(d)))
	}
	if want := len(kernels.SignatureOf(k).Scalars); len(scalars) != want {
		b.fail(fmt.Errorf("%v: %d scalars, want %d", k, len(scalars), want))
	}
	copy(i.Scalars[:], scalars)
	for at := range kernels.SignatureOf(k).Args {
		if id := i.Args[at]; id != None && i.Writes(at) {
			if _, made := b.maker[id]; !made {
				b.maker[id] = len(b.p.Instrs)
			}
		}
	}
	b.p.Instrs = append(b.p.Instrs, i)
}

// Maker is the instruction that first wrote v, nil where none did.
func (b *Builder) Maker(v ID) *Instr {
	if n, ok := b.maker[v]; ok {
		return &b.p.Instrs[n]
	}
	return nil
}

// Made is the place of that instruction in the list, -1 where there is none.
func (b *Builder) Made(v ID) int {
	if n, ok := b.maker[v]; ok {
		return n
	}
	return -1
}

// Remember notes that v is the result called name of the operation whose value is of.
func (b *Builder) Remember(of ID, name string, v ID) { b.related[relation{of, name}] = v }

// Recall finds what Remember noted; None where nothing was.
func (b *Builder) Recall(of ID, name string) ID {
	if v, ok := b.related[relation{of, name}]; ok {
		return v
	}
	return None
}

func (b *Builder) fail(err error) {
	if b.err == nil && err != nil {
		b.err = err
	}
}

// Program gives what was collected, or the first mistake.
func (b *Builder) Program() (Program, error) { return b.p, b.err }

// Named gives the value called v.Name, adding v where there is none yet.
func (b *Builder) Named(v Value) ID {
	if id := b.Recall(None, v.Name); id != None {
		return id
	}
	id := b.Value(v)
	b.Remember(None, v.Name, id)
	return id
}

// Views names, for arguments of an instruction, the first element of the value that it sees.
type Views map[string]int64

// View sets the views of the last instruction.
func (b *Builder) View(views Views) {
	last := &b.p.Instrs[len(b.p.Instrs)-1]
	for name, first := range views {
		at := argIndex(last.Kernel, name)
		if at < 0 {
			b.fail(fmt.Errorf("%v has no argument %q", last.Kernel, name))
			continue
		}
		last.Views[at] = first
	}
}
