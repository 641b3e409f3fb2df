package kerneltest

import (
	"fmt"
	"slices"
	"strings"

	"atoll/kernels"
)

// Case is one call of a kernel: its sizes and options. Its data follows from it alone, see makeInputs.
type Case struct {
	Kernel  kernels.Kernel
	Dims    []int64   // in the order of the signature
	Scalars []float32 // in the order of the signature
	Absent  []string  // optional arguments that are left out
	Lengths []int32   // of the sequences; nil: ragged, from 0 to T
	Start   int32     // what the start argument holds
	Step    float32   // step[StepAccumulate]
	Inverse float32   // step[StepInverseScale]; 0: 1
	Shift   int       // elements by which every argument is off the alignment of buffers
	Alias   kernels.Alias
	Scale   map[string]float32 // range of an argument's random values, where it is not 1
	Offset  map[string]float32 // added to an argument's random values
	Fixed   map[string]float32 // every element of the argument, integers too
	In      []kernels.DType    // the precisions that can hold its values; nil: all
}

// Name says what the case is, for messages.
func (c Case) Name(precision kernels.DType) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%v %v", c.Kernel, precision)
	for i, d := range kernels.SignatureOf(c.Kernel).Dims {
		fmt.Fprintf(&s, " %s=%d", d, c.Dims[i])
	}
	for i, name := range kernels.SignatureOf(c.Kernel).Scalars {
		fmt.Fprintf(&s, " %s=%g", name, c.Scalars[i])
	}
	if len(c.Absent) > 0 {
		fmt.Fprintf(&s, " without %s", strings.Join(c.Absent, ","))
	}
	if c.Lengths != nil {
		fmt.Fprintf(&s, " lengths=%v", c.Lengths)
	}
	if c.Start != 0 {
		fmt.Fprintf(&s, " start=%d", c.Start)
	}
	if c.Step != 0 {
		fmt.Fprintf(&s, " step.accumulate=%g", c.Step)
	}
	if c.Inverse != 0 {
		fmt.Fprintf(&s, " step.inverse=%g", c.Inverse)
	}
	if c.Shift != 0 {
		fmt.Fprintf(&s, " shift=%d", c.Shift)
	}
	if c.Alias.Written != "" {
		fmt.Fprintf(&s, " %s==%s", c.Alias.Written, c.Alias.Read)
	}
	for _, values := range []struct {
		what string
		of   map[string]float32
	}{{"*", c.Scale}, {"+", c.Offset}, {"=", c.Fixed}} {
		for _, arg := range kernels.SignatureOf(c.Kernel).Args {
			if v, ok := values.of[arg.Name]; ok {
				fmt.Fprintf(&s, " %s%s%g", arg.Name, values.what, v)
			}
		}
	}
	return s.String()
}

// call is the case as a record, without places.
func (c Case) call(precision kernels.DType) kernels.Call {
	call := kernels.Call{Kernel: c.Kernel, Precision: precision}
	copy(call.Dims[:], c.Dims)
	copy(call.Scalars[:], c.Scalars)
	for i, arg := range kernels.SignatureOf(c.Kernel).Args {
		if c.absent(arg.Name) {
			call.Args[i] = kernels.None
		}
	}
	return call
}

// dim is the value of the named dim, -1 where the kernel has none of that name.
func (c Case) dim(name string) int64 {
	call := c.call(kernels.F32)
	return call.Dim(name)
}

// Precisions are those that make a difference to the kernel and hold the case's values.
func (c Case) Precisions() []kernels.DType {
	if c.In != nil {
		return c.In
	}
	precisions := []kernels.DType{kernels.F32}
	if slices.ContainsFunc(kernels.SignatureOf(c.Kernel).Args, func(a kernels.Arg) bool { return a.Class == kernels.Act }) {
		precisions = append(precisions, kernels.BF16, kernels.F16)
	}
	return slices.DeleteFunc(precisions, func(p kernels.DType) bool { return !c.formats(p) })
}

// absent says whether the argument is left out.
func (c Case) absent(name string) bool { return slices.Contains(c.Absent, name) }

// accumulates says whether the argument, of access Sum, is added to.
func (c Case) accumulates(name string) bool {
	mode := c.dim(kernels.SignatureOf(c.Kernel).ModeName(name))
	return mode == kernels.Accumulate || mode == kernels.ByStep && c.Step != 0
}

// unspecified says whether what the argument holds after the kernel is nobody's business.
func unspecified(k kernels.Kernel, name string) bool {
	return (k == kernels.HeadLoss || k == kernels.HeadLossNorm) && name == "logits"
}
