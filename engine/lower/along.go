package lower

import (
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
		first := i.Views[gradsOfAdamW]
		return i.Kernel == kernels.AdamW && i.Arg("seed") == ir.None && first <= s.First && s.First+s.Length <= first+i.Dim("N")
	})
}

const gradsOfAdamW = 3 // the index of the argument

// layTwice adds the value of w laid out and what makes it before the first step, and has readers read it.
func layTwice(p *ir.Program, w ir.ID, readers []int) ir.ID {
	packed := ir.ID(len(p.Values))
	v := p.Values[w]
	p.Values = append(p.Values, ir.Value{Name: ir.TwicePrefix + v.Name, Kind: ir.InGrad, DType: kernels.I32, Shape: v.Shape})
	for at, n := range readers {
		i := &p.Instrs[n]
		N, I, O := i.Dim("N"), i.Dim("I"), i.Dim("O")
		if at == 0 {
			p.Once = append(p.Once, newInstr(kernels.Pack, kernels.F32, map[string]ir.ID{"packed": packed, "w": w},
				[]int64{I, O, 0, int64(kernels.PackedTwice), I * O}))
		}
		if i.Kernel == kernels.Linear {
			*i = newInstr(kernels.LinearPacked, i.Precision, map[string]ir.ID{"y": i.Arg("y"), "x": i.Arg("x"), "packed": packed, "b": i.Arg("b"),
				"res": i.Arg("res"), "pre": i.Arg("pre")}, []int64{N, I, O, i.Dim("gelu"), int64(kernels.PackedTwice), I * O, 0})
			continue
		}
		*i = newInstr(kernels.LinearDXPacked, i.Precision, map[string]ir.ID{"dx": i.Arg("dx"), "dy": i.Arg("dy"), "packed": packed, "pre": i.Arg("pre"),
			"dres": i.Arg("dres")}, []int64{N, I, O})
	}
	return packed
}

// splitUpdate gives an adamw as those of the weights that are laid out, and of what lies between them.
func splitUpdate(p *ir.Program, all ir.Instr, twice map[int64]alongside) []ir.Instr {
	first, end := all.Views[gradsOfAdamW], all.Views[gradsOfAdamW]+all.Dim("N")
	var inside []ir.Span
	for _, a := range twice {
		if first <= a.span.First && a.span.First+a.span.Length <= end {
			inside = append(inside, a.span)
		}
	}
	var parts []ir.Instr
	at := first
	between := func(until int64) {
		if until > at {
			i := all
			i.Dims[0] = until - at
			shift(&i, at-first)
			parts = append(parts, i)
		}
	}
	slices.SortFunc(inside, func(a, b ir.Span) int { return int(a.First - b.First) })
	for _, s := range inside {
		between(s.First)
		parts = append(parts, packedUpdate(p, all, twice[s.First]))
		at = s.First + s.Length
	}
	between(end)
	return parts
}

// shift moves what an adamw sees by elements.
func shift(i *ir.Instr, elements int64) {
	for _, name := range []string{"weights", "m", "v", "grads"} {
		at := slices.IndexFunc(kernels.SignatureOf(i.Kernel).Args, func(a kernels.Arg) bool { return a.Name == name })
		i.Views[at] += elements
	}
}

// packedUpdate is the part of an adamw that updates one weight, and lays it out.
func packedUpdate(p *ir.Program, all ir.Instr, a alongside) ir.Instr {
	shape := p.Values[a.packed].Shape
	i := newInstr(kernels.AdamWPacked, all.Precision, nil, []int64{int64(shape[0]), int64(shape[1])})
	for at, arg := range kernels.SignatureOf(kernels.AdamW).Args {
		if id := all.Args[at]; id != ir.None {
			i.BindAt(arg.Name, id, all.Views[at])
		}
	}
	i.Bind("packed", a.packed)
	i.Scalars = all.Scalars
	shift(&i, a.span.First-all.Views[gradsOfAdamW])
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
