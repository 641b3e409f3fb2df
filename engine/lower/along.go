package lower

import (
	"maps"
	"slices"
	"strings"

	"atoll/engine/ir"
	"atoll/kernels"
)

// PackAlong lets the optimizer lay out the weights of products of bf16 for the next step's linear and linear.dx (kernels.PackedTwice), in the
// place of their gradients: no product rounds and packs its weight any more, and no memory is added. spans are the places of the gradients in
// the flat ones. Weights that something else reads stay as they are, as do those that are read after the first part of their gradient is written,
// and those whose update rounds them by chance.
func PackAlong(p ir.Program, spans []ir.Span) ir.Program {
	out := p.Clone()
	twice := map[int64]alongside{} // by the first element of the gradient
	for _, s := range spans {
		w := slices.IndexFunc(out.Values, func(v ir.Value) bool { return v.Kind == ir.Param && v.Name == s.Name })
		if w < 0 {
			continue
		}
		if readers := onlyProducts(p, ir.ID(w)); len(readers) > 0 && updated(p, s) {
			twice[s.First] = alongside{s, layTwice(&out, ir.ID(w), readers)}
		}
	}
	if len(twice) == 0 {
		return p
	}
	var instrs []ir.Instr
	for _, i := range out.Instrs {
		if i.Kernel == kernels.AdamW {
			instrs = append(instrs, splitUpdate(&out, i, twice)...)
		} else {
			instrs = append(instrs, i)
		}
	}
	out.Instrs = instrs
	return out
}

// alongside is a weight that is laid out by the optimizer: where its gradient lies, and the value that lies there.
type alongside struct {
	span   ir.Span
	packed ir.ID
}

// onlyProducts are the instructions that read w, where all are products of bf16 that can read it laid out, and run before w's gradient is written;
// else none.
func onlyProducts(p ir.Program, w ir.ID) []int {
	var readers []int
	grad := ir.GradPrefix + p.Values[w].Name
	written := false
	for n := range p.Instrs {
		i := &p.Instrs[n]
		if slices.Contains(i.Args[:], w) {
			product := (i.Kernel == kernels.Linear || i.Kernel == kernels.LinearDX) && i.Arg("w") == w
			if !product || written || i.Precision != kernels.BF16 || i.Dim("transposed") != 0 || !kernels.PackedTwice.Holds(i.Dim("I"), i.Dim("O")) {
				return nil
			}
			readers = append(readers, n)
		}
		for at, id := range i.Args {
			written = written || id != ir.None && p.Values[id].Kind == ir.Grad && p.Values[id].Name == grad && i.Writes(at)
		}
	}
	if !written {
		return nil
	}
	return readers
}

// updated tells whether one adamw that does not round updates all of a span.
func updated(p ir.Program, s ir.Span) bool {
	return slices.ContainsFunc(p.Instrs, func(i ir.Instr) bool {
		return i.Kernel == kernels.AdamW && i.Arg("seed") == ir.None && covers(&i, s)
	})
}

// covers tells whether an adamw updates all of a span.
func covers(i *ir.Instr, s ir.Span) bool {
	first := i.First("grads")
	return first <= s.First && s.First+s.Length <= first+i.Dim("N")
}

// layTwice adds the value of w laid out and what makes it before the first step, and has readers read it.
func layTwice(p *ir.Program, w ir.ID, readers []int) ir.ID {
	v := p.Values[w]
	words := ir.Value{Name: ir.TwicePrefix + v.Name, Kind: ir.InGrad, DType: kernels.I32, Shape: v.Shape}
	packed := layOut(p, &p.Instrs[readers[0]], words, kernels.PackedTwice)
	for _, n := range readers {
		i := &p.Instrs[n]
		if i.Kernel == kernels.Linear {
			readPacked(i, packed, kernels.PackedTwice, 0)
			continue
		}
		*i = newInstr(kernels.LinearDXPacked, i.Precision, map[string]ir.ID{"dx": i.Arg("dx"), "dy": i.Arg("dy"), "packed": packed, "pre": i.Arg("pre"),
			"dres": i.Arg("dres")}, []int64{i.Dim("N"), i.Dim("I"), i.Dim("O")})
	}
	return packed
}

// splitUpdate gives an adamw as those of the weights that are laid out, and of what lies between them.
func splitUpdate(p *ir.Program, all ir.Instr, twice map[int64]alongside) []ir.Instr {
	at, end := all.First("grads"), all.First("grads")+all.Dim("N")
	var parts []ir.Instr
	between := func(until int64) {
		if until > at {
			parts = append(parts, partOf(all, kernels.AdamW, at, until-at, all.Dim("salt")))
		}
	}
	for _, first := range slices.Sorted(maps.Keys(twice)) {
		if a := twice[first]; covers(&all, a.span) {
			between(first)
			shape := p.Values[a.packed].Shape
			i := partOf(all, kernels.AdamWPacked, first, int64(shape[0]), int64(shape[1]))
			i.Bind("packed", a.packed)
			parts = append(parts, i)
			at = first + a.span.Length
		}
	}
	between(end)
	return parts
}

// partOf is the part of an adamw whose gradients begin at first, as a kernel with these dims that has its arguments.
func partOf(all ir.Instr, k kernels.Kernel, first int64, dims ...int64) ir.Instr {
	i := newInstr(k, all.Precision, nil, dims)
	for _, arg := range kernels.SignatureOf(kernels.AdamW).Args {
		view := all.First(arg.Name)
		if arg.Shape == "N" { // of the flat tensors; the others are one for all parts
			view += first - all.First("grads")
		}
		if id := all.Arg(arg.Name); id != ir.None {
			i.BindAt(arg.Name, id, view)
		}
	}
	i.Scalars = all.Scalars
	return i
}

// LaidAlong names the weights of p that the optimizer lays out, in their order: "" where there are none.
func LaidAlong(p ir.Program) string {
	var names []string
	for _, v := range p.Values {
		if v.Kind == ir.InGrad {
			names = append(names, v.Name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}
