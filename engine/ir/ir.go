// Package ir is the flat form of a model's step: typed values and a list of kernel calls over them.
//
// engine/lower makes a Program from a gorgonia graph; passes turn lists into lists; Verify holds a list against the
// kernels' signature table and the rules of definition and use; engine/plan gives every value a place. Nothing here
// knows a device or touches memory. Mistakes come back as errors that print the instruction.
package ir

import (
	"fmt"
	"slices"

	"atoll/kernels"
)

// ID names a value of a program: its index in Values.
type ID int32

// None stands where an optional argument is absent.
const None ID = -1

// Kind says where a value lives and for how long.
type Kind uint8

const (
	Temp   Kind = iota // arena: from its first write to its last use
	Param              // weights: read by programs, updated by the optimizer
	Grad               // the gradient of a parameter, kept until the update
	State              // kept on the device between runs: optimizer moments, caches of keys and values
	Input              // written by the host before a run
	Output             // read by the host after it
	Packed             // a parameter laid out anew for products, by an instruction of Once
	InGrad             // the same by the optimizer, too, in the place of the parameter's gradient: gone once that is written
)

func (k Kind) String() string {
	return [...]string{"temp", "param", "grad", "state", "input", "output", "packed", "in-grad"}[k]
}

// Value is a tensor of the program.
type Value struct {
	Name  string // what the model calls it; empty for most temporaries
	Kind  Kind
	DType kernels.DType
	Shape []int
}

// Elements is the product of the shape; 1 for a scalar.
func (v Value) Elements() int64 {
	n := int64(1)
	for _, d := range v.Shape {
		n *= int64(d)
	}
	return n
}

// Bytes is the memory that the value takes.
func (v Value) Bytes() int64 { return v.Elements() * int64(v.DType.Size()) }

// Instr is one kernel call over values. Arguments, dims and scalars are in the order of the kernel's signature.
type Instr struct {
	Kernel    kernels.Kernel
	Precision kernels.DType
	Args      [kernels.MaxArgs]ID
	Dims      [kernels.MaxDims]int64
	Scalars   [kernels.MaxScalars]float32
	Views     [kernels.MaxArgs]int64 // first element of the value that the argument sees: 0 but for slices of flat state
}

// Program is a list of instructions, run in order.
type Program struct {
	Values []Value
	Instrs []Instr
	Once   []Instr // run once for all programs of a model, before any of them: they make the packed values from parameters
}

// Clone copies p, so that a pass leaves its argument alone.
func (p Program) Clone() Program {
	return Program{Values: slices.Clone(p.Values), Instrs: slices.Clone(p.Instrs), Once: slices.Clone(p.Once)}
}

// Arg is the value bound to the named argument, None where it is absent.
func (i *Instr) Arg(name string) ID {
	at := argIndex(i.Kernel, name)
	if at < 0 {
		return None
	}
	return i.Args[at]
}

// SetArg binds the named argument. A name that the kernel lacks is a mistake in the compiler.
func (i *Instr) SetArg(name string, v ID) error {
	at := argIndex(i.Kernel, name)
	if at < 0 {
		return fmt.Errorf("%v has no argument %q", i.Kernel, name)
	}
	i.Args[at] = v
	return nil
}

// Bind is SetArg for a name that the caller took from the kernel's signature; another name changes nothing.
func (i *Instr) Bind(name string, v ID) {
	if at := argIndex(i.Kernel, name); at >= 0 {
		i.Args[at] = v
	}
}

// BindAt is Bind where the argument sees v from element first on.
func (i *Instr) BindAt(name string, v ID, first int64) {
	if at := argIndex(i.Kernel, name); at >= 0 {
		i.Args[at], i.Views[at] = v, first
	}
}

// First is the element of its value that the named argument begins at.
func (i *Instr) First(name string) int64 {
	at := argIndex(i.Kernel, name)
	if at < 0 {
		return 0
	}
	return i.Views[at]
}

// SetDim sets the named dim; the error is as for SetArg.
func (i *Instr) SetDim(name string, v int64) error {
	at := slices.Index(kernels.SignatureOf(i.Kernel).Dims, name)
	if at < 0 {
		return fmt.Errorf("%v has no dim %q", i.Kernel, name)
	}
	i.Dims[at] = v
	return nil
}

// Dim is the value of the named dim, -1 where the kernel has none of that name.
func (i *Instr) Dim(name string) int64 {
	at := slices.Index(kernels.SignatureOf(i.Kernel).Dims, name)
	if at < 0 {
		return -1
	}
	return i.Dims[at]
}

func argIndex(k kernels.Kernel, name string) int {
	return slices.IndexFunc(kernels.SignatureOf(k).Args, func(a kernels.Arg) bool { return a.Name == name })
}

// Writes reports whether argument at of i is written, Reads whether what was there before matters.
func (i *Instr) Writes(at int) bool {
	return kernels.SignatureOf(i.Kernel).Args[at].Access != kernels.In
}

// Reads reports whether i uses what argument at held before: inputs, and sums that are added to.
func (i *Instr) Reads(at int) bool {
	arg := kernels.SignatureOf(i.Kernel).Args[at]
	switch arg.Access {
	case kernels.In, kernels.InOut:
		return true
	case kernels.Sum:
		return i.modeOf(arg.Name) == kernels.Accumulate
	}
	return false
}

// modeOf is the mode of a Sum argument.
func (i *Instr) modeOf(arg string) int64 { return i.Dim(kernels.SignatureOf(i.Kernel).ModeName(arg)) }

// SetMode sets the mode of the named Sum argument.
func (i *Instr) SetMode(arg string, mode int64) error {
	return i.SetDim(kernels.SignatureOf(i.Kernel).ModeName(arg), mode)
}

// SharesMode says that two Sum arguments of i are stored by the same mode.
func (i *Instr) SharesMode(a, b string) bool {
	s := kernels.SignatureOf(i.Kernel)
	return s.ModeName(a) == s.ModeName(b)
}

// Append gives the instructions of p followed by those of q, which has none that run once. Named values of one name are one
// value in the result.
func Append(p, q Program) Program {
	out := p.Clone()
	named := map[string]ID{}
	for id, v := range out.Values {
		if v.Name != "" {
			named[v.Name] = ID(id)
		}
	}
	renamed := make([]ID, len(q.Values))
	for id, v := range q.Values {
		at, ok := named[v.Name]
		if v.Name == "" || !ok {
			at = ID(len(out.Values))
			out.Values = append(out.Values, v)
		}
		renamed[id] = at
	}
	for _, i := range q.Instrs {
		for at, id := range i.Args {
			if id != None {
				i.Args[at] = renamed[id]
			}
		}
		out.Instrs = append(out.Instrs, i)
	}
	return out
}
