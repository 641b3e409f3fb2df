package ir

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"atoll/kernels"
)

// Verify holds p against the rules that every pass must keep:
//
//   - a kernel's arguments are the ones of its signature: present unless optional, of the class's element type, and as
//     large as the dims say; its precision and the modes of its sums are ones that exist;
//   - a temporary is written before it is read, a packed weight by an instruction that runs once and by no other, and an
//     instruction writes something that is read or an end of the program, and no optional argument that nobody reads (that
//     would be work for nothing);
//   - what lies in the place of a gradient is not read between the gradient's first part and the update;
//   - parameters are written by the optimizer alone, inputs by no instruction, outputs by at least one, and a gradient that
//     nothing reads by at least one;
//   - no instruction writes one value through two arguments, or a value that it also reads, but for the pairs that its
//     kernel allows (kernels.Aliases).
//
// It returns all violations joined, each with its instruction.
func Verify(p Program) error {
	var all []error
	written := make([]bool, len(p.Values))
	covered := coveredBy(p)
	read := make([]bool, len(p.Values))
	for n := range p.Once {
		if err := verifyOnce(p, &p.Once[n], written, read); err != nil {
			all = append(all, fmt.Errorf("instruction %d of those that run once: %w", n, err))
		}
	}
	for n := range p.Instrs {
		i := &p.Instrs[n]
		if err := verifyInstr(p, i, written, read); err != nil {
			all = append(all, fmt.Errorf("instruction %d: %s: %w", n, p.Line(n), err))
			continue
		}
		for at := range kernels.SignatureOf(i.Kernel).Args {
			if id := i.Args[at]; id != None && i.Writes(at) && covered[id] != None {
				written[covered[id]] = false
			}
		}
	}
	if len(all) == 0 { // else the arguments may not even be values
		all = append(all, verifyUse(p, read)...)
	}
	for id, v := range p.Values {
		switch {
		case v.Kind == Output && !written[id]:
			all = append(all, fmt.Errorf("output %s is never written", p.name(ID(id))))
		case v.Kind == Grad && !written[id] && !read[id]:
			all = append(all, fmt.Errorf("gradient %s is never written", p.name(ID(id))))
		}
	}
	return errors.Join(all...)
}

// verifyOnce allows what makes a packed weight from a parameter.
func verifyOnce(p Program, i *Instr, written, read []bool) error {
	if err := verifyInstr(p, i, written, read); err != nil {
		return err
	}
	if i.Kernel != kernels.Pack || p.Values[i.Arg("w")].Kind != Param || !laidOut(p.Values[i.Arg("packed")].Kind) {
		return fmt.Errorf("%v makes %s, want pack, and a packed weight of a parameter", i.Kernel, p.name(i.Args[0]))
	}
	return nil
}

func laidOut(k Kind) bool { return k == Packed || k == InGrad }

// coveredBy gives for each gradient what lies in its place between steps, None for other values.
func coveredBy(p Program) []ID {
	covered := make([]ID, len(p.Values))
	named := map[string]ID{}
	for id, v := range p.Values {
		if covered[id] = None; v.Kind == InGrad {
			named[GradPrefix+strings.TrimPrefix(v.Name, TwicePrefix)] = ID(id)
		}
	}
	for id, v := range p.Values {
		if under, ok := named[v.Name]; ok && v.Kind == Grad {
			covered[id] = under
		}
	}
	return covered
}

func verifyInstr(p Program, i *Instr, written, read []bool) error {
	if i.Kernel >= kernels.Count {
		return fmt.Errorf("kernel %d is not in the table of %d", i.Kernel, kernels.Count)
	}
	if i.Precision > kernels.F16 {
		return fmt.Errorf("precision is %v, want fp32, bf16 or fp16", i.Precision)
	}
	sig := kernels.SignatureOf(i.Kernel)
	for at, arg := range sig.Args {
		id := i.Args[at]
		if id == None {
			if arg.Optional {
				continue
			}
			return fmt.Errorf("argument %s is absent, and it is not optional", arg.Name)
		}
		if int(id) >= len(p.Values) || id < 0 {
			return fmt.Errorf("argument %s is value %d of %d", arg.Name, id, len(p.Values))
		}
		if err := verifyArg(p, i, at); err != nil {
			return err
		}
		if i.Reads(at) {
			if (p.Values[id].Kind == Temp || laidOut(p.Values[id].Kind)) && !written[id] {
				return fmt.Errorf("argument %s reads %s before anything writes it", arg.Name, p.name(id))
			}
			read[id] = true
		}
	}
	for at := range sig.Args {
		if id := i.Args[at]; id != None && i.Writes(at) {
			if err := verifyWrite(p, i, at); err != nil {
				return err
			}
			written[id] = true
		}
	}
	return nil
}

// verifyUse finds instructions, and optional results of others, that are work for nothing. A result that is not optional
// may go unread where another is read: a norm's backward kernel gives dx also where only its parameters are trained.
func verifyUse(p Program, read []bool) []error {
	var all []error
	for n := range p.Instrs {
		i, useful := &p.Instrs[n], false
		for at, arg := range kernels.SignatureOf(i.Kernel).Args {
			id := i.Args[at]
			if id == None || !i.Writes(at) {
				continue
			}
			wanted := read[id] || p.Values[id].Kind != Temp
			if useful = useful || wanted; arg.Optional && !wanted {
				all = append(all, fmt.Errorf("instruction %d: %s: %s is written and never read: run the dead-code pass", n, p.Line(n), p.name(id)))
			}
		}
		if !useful {
			all = append(all, fmt.Errorf("instruction %d: %s: nothing that it writes is ever read: run the dead-code pass", n, p.Line(n)))
		}
	}
	return all
}

func verifyArg(p Program, i *Instr, at int) error {
	call := kernels.Call{Kernel: i.Kernel, Precision: i.Precision, Dims: i.Dims}
	want, err := call.Elements(at)
	if err != nil {
		return err
	}
	v, arg := p.Values[i.Args[at]], kernels.SignatureOf(i.Kernel).Args[at]
	if got := v.Elements() - i.Views[at]; got < want || i.Views[at] < 0 {
		return fmt.Errorf("argument %s has shape %s, %d elements; %s has %d from element %d on",
			arg.Name, arg.Shape, want, p.name(i.Args[at]), got, i.Views[at])
	}
	if dtype := call.DTypeOf(at); v.DType != dtype {
		return fmt.Errorf("argument %s wants %v, %s is %v", arg.Name, dtype, p.name(i.Args[at]), v.DType)
	}
	return nil
}

func verifyWrite(p Program, i *Instr, at int) error {
	id := i.Args[at]
	arg := kernels.SignatureOf(i.Kernel).Args[at]
	switch v := p.Values[id]; {
	case v.Kind == Input:
		return fmt.Errorf("argument %s writes the input %s", arg.Name, p.name(id))
	case v.Kind == InGrad && i.Kernel != kernels.Pack && i.Kernel != kernels.AdamWPacked:
		return fmt.Errorf("argument %s writes %s, which lies in the place of a gradient: only pack and adamw.packed may", arg.Name, p.name(id))
	case v.Kind == Packed && i.Kernel != kernels.Pack:
		return fmt.Errorf("argument %s writes the packed weight %s: only pack may", arg.Name, p.name(id))
	case v.Kind == Param && arg.Access != kernels.InOut:
		return fmt.Errorf("argument %s writes the parameter %s: only the optimizer may", arg.Name, p.name(id))
	}
	if mode := i.modeOf(arg.Name); arg.Access == kernels.Sum && (mode < kernels.Overwrite || mode > kernels.ByStep) {
		return fmt.Errorf("argument %s has mode %d, want 0, 1 or 2", arg.Name, mode)
	}
	return verifyApart(p, i, at)
}

// verifyApart holds a written argument against the others of its instruction.
func verifyApart(p Program, i *Instr, at int) error {
	id, sig := i.Args[at], kernels.SignatureOf(i.Kernel)
	for other, arg := range sig.Args {
		if other == at || i.Args[other] != id {
			continue
		}
		if i.Writes(other) {
			return fmt.Errorf("writes %s through two arguments", p.name(id))
		}
		if !slices.Contains(kernels.Aliases(i.Kernel), kernels.Alias{Written: sig.Args[at].Name, Read: arg.Name}) {
			return fmt.Errorf("reads %s as %s and writes it as %s, and the kernel wants them apart", p.name(id), arg.Name, sig.Args[at].Name)
		}
	}
	return nil
}
