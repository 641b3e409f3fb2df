package ref

import "atoll/kernels"

// arguments are the operands of one call, widened to float32 where they are stored in half precision.
type arguments struct {
	call   *kernels.Call
	memory [kernels.MaxArgs][]byte    // where each argument is stored, nil where absent
	floats [kernels.MaxArgs][]float32 // Act and Float; a view of memory where that is fp32, else a widened copy
	ints   [kernels.MaxArgs][]int32   // Integer
}

// load finds and widens the arguments of a call that has passed Check.
func load(call *kernels.Call, segments [][]byte) (*arguments, error) {
	a := &arguments{call: call}
	for i := range kernels.SignatureOf(call.Kernel).Args {
		if call.Args[i] == kernels.None {
			continue
		}
		n, err := call.Elements(i)
		if err != nil {
			return nil, err
		}
		dtype := call.DTypeOf(i)
		at := call.Args[i].Offset()
		a.memory[i] = segments[call.Args[i].Segment()][at : at+n*int64(dtype.Size())]
		switch dtype {
		case kernels.I32:
			a.ints[i] = kernels.Int32s(a.memory[i])
		case kernels.F32:
			a.floats[i] = kernels.Float32s(a.memory[i])
		default:
			a.floats[i] = make([]float32, n)
			if err := kernels.Widen(a.floats[i], a.memory[i], dtype); err != nil {
				return nil, err
			}
		}
	}
	return a, nil
}

// store rounds what the kernel wrote in half precision back to memory. It runs after the kernel, so an output may share
// its memory with an input.
func (a *arguments) store() error {
	for i, arg := range kernels.SignatureOf(a.call.Kernel).Args {
		dtype := a.call.DTypeOf(i)
		if arg.Access != kernels.In && dtype.Size() == 2 && a.memory[i] != nil {
			if err := kernels.Narrow(a.memory[i], a.floats[i], dtype); err != nil {
				return err
			}
		}
	}
	return nil
}

// index of the argument of that name; a name that the table lacks is a mistake in this package.
func (a *arguments) index(name string) int {
	for i, arg := range kernels.SignatureOf(a.call.Kernel).Args {
		if arg.Name == name {
			return i
		}
	}
	return -1
}

func (a *arguments) float(name string) []float32 { return a.floats[a.index(name)] }
func (a *arguments) int(name string) []int32     { return a.ints[a.index(name)] }
func (a *arguments) dim(name string) int         { return int(a.call.Dim(name)) }
func (a *arguments) flag(name string) bool       { return a.call.Dim(name) != 0 }
func (a *arguments) step(place int) float32      { return a.float("step")[place] }

// weight is a Float argument as it enters a matrix product: rounded to the call's precision.
func (a *arguments) weight(name string) []float32 {
	return roundAll(a.float(name), a.call.Precision)
}

// scalar is the scalar of that name.
func (a *arguments) scalar(name string) float32 {
	for i, s := range kernels.SignatureOf(a.call.Kernel).Scalars {
		if s == name {
			return a.call.Scalars[i]
		}
	}
	return 0
}

// accumulate says whether the dim of that name asks for a sum with what is there.
func (a *arguments) accumulate(mode string) bool {
	switch a.call.Dim(mode) {
	case kernels.Accumulate:
		return true
	case kernels.ByStep:
		return a.step(kernels.StepAccumulate) != 0
	}
	return false
}

// checkIndexes is a fault when one of values is below 0 (unless negatives are allowed, which mean "ignore") or not
// below bound; what, unit and boundName are for its message.
func (a *arguments) checkIndexes(what string, values []int32, negatives bool, boundName string) error {
	bound := a.call.Dim(boundName)
	for row, v := range values {
		if v < 0 && !negatives {
			return fault(a.call.Kernel, "%s %d in row %d is below 0", what, v, row)
		}
		if int64(v) >= bound {
			return fault(a.call.Kernel, "%s %d in row %d is not below %s=%d", what, v, row, boundName, bound)
		}
	}
	return nil
}

// checkLengths is a fault when a length (of sequence b, in tokens) is not in 0..T.
func (a *arguments) checkLengths() error {
	T := a.call.Dim("T")
	for b, length := range a.int("lengths") {
		if length < 0 {
			return fault(a.call.Kernel, "length %d in row %d is below 0", length, b)
		}
		if int64(length) > T {
			return fault(a.call.Kernel, "length %d in row %d is above T=%d", length, b, T)
		}
	}
	return nil
}

// start is the position of the first row: 0 where the argument is absent, a fault where rows would pass position P.
func (a *arguments) start() (int, error) {
	values := a.int("start")
	if values == nil {
		return 0, nil
	}
	start, T, P := int64(values[0]), a.call.Dim("T"), a.call.Dim("P")
	if start < 0 {
		return 0, fault(a.call.Kernel, "start %d is below 0", start)
	}
	if start+T > P {
		return 0, fault(a.call.Kernel, "start %d with T=%d rows passes P=%d", start, T, P)
	}
	return int(start), nil
}
