package ir

import (
	"fmt"
	"strings"

	"atoll/kernels"
)

// name is how a value is written: its own name, or % and its number.
func (p Program) name(id ID) string {
	if id == None {
		return "-"
	}
	if v := p.Values[id]; v.Name != "" {
		return v.Name
	}
	return fmt.Sprintf("%%%d", id)
}

// Line is instruction n as text: what it writes, the kernel, what it reads, its dims and scalars.
func (p Program) Line(n int) string {
	i := &p.Instrs[n]
	if i.Kernel >= kernels.Count {
		return fmt.Sprintf("kernel(%d)", i.Kernel)
	}
	sig := kernels.SignatureOf(i.Kernel)
	var outs, ins, dims []string
	for at, arg := range sig.Args {
		id := i.Args[at]
		if id < 0 || int(id) >= len(p.Values) { // None, or a mistake that Verify is about to report
			continue
		}
		text := p.name(id)
		if i.Views[at] != 0 {
			text += fmt.Sprintf("[%d:]", i.Views[at])
		}
		if i.Writes(at) {
			outs = append(outs, text+p.suffix(i, at))
		} else {
			ins = append(ins, arg.Name+"="+text)
		}
	}
	for at, d := range sig.Dims {
		if !strings.HasSuffix(strings.ToLower(d), "mode") {
			dims = append(dims, fmt.Sprintf("%s=%d", d, i.Dims[at]))
		}
	}
	for at, s := range sig.Scalars {
		dims = append(dims, fmt.Sprintf("%s=%g", s, i.Scalars[at]))
	}
	return fmt.Sprintf("%s = %v.%v(%s) {%s}", strings.Join(outs, ", "), i.Kernel, i.Precision, strings.Join(ins, ", "), strings.Join(dims, " "))
}

// suffix tells how a written argument is stored, and its type where the line defines it.
func (p Program) suffix(i *Instr, at int) string {
	arg := kernels.SignatureOf(i.Kernel).Args[at]
	v := p.Values[i.Args[at]]
	text := fmt.Sprintf(":%v%v", v.DType, v.Shape)
	if arg.Access == kernels.Sum {
		text += map[int64]string{kernels.Accumulate: "+", kernels.ByStep: "+?"}[i.modeOf(arg.Name)]
	}
	return strings.ReplaceAll(text, " ", ",")
}

// String is the whole program, an instruction a line.
func (p Program) String() string {
	var b strings.Builder
	for n := range p.Instrs {
		fmt.Fprintf(&b, "%4d  %s\n", n, p.Line(n))
	}
	return b.String()
}
