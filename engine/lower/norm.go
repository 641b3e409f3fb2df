package lower

import (
	"cmp"
	"slices"

	"atoll/engine/ir"
	"atoll/kernels"
)

// NormAlong lets the products that make gradients of weights give their norms, too, from what they have just stored. What is left for
// grad.norm to read are the other gradients. spans are the places of the gradients in the flat ones; a list without a norm of all of
// them, or without such products, stays as it is.
func NormAlong(p ir.Program, spans []ir.Span) ir.Program {
	at := slices.IndexFunc(p.Instrs, func(i ir.Instr) bool { return i.Kernel == kernels.GradNorm })
	products, covered := normed(p, spans)
	if at < 0 || len(products) == 0 {
		return p
	}
	out, all := p.Clone(), p.Instrs[at]
	rest := uncovered(covered, all.Dim("N"))
	last := len(rest) - 1
	norms := ir.ID(len(out.Values))
	out.Values = append(out.Values, ir.Value{Shape: []int{len(products) + last}})
	for n, product := range products {
		i := &out.Instrs[product]
		i.Kernel = kernels.LinearDWNorm // whose signature begins as that of linear.dw
		i.BindAt("norm", norms, int64(n))
	}
	var end []ir.Instr
	for n, span := range rest[:last] {
		i := newInstr(kernels.GradNorm, all.Precision, nil, []int64{span.Length})
		i.BindAt("norm", norms, int64(len(products)+n))
		i.BindAt("grads", all.Arg("grads"), span.First)
		end = append(end, i)
	}
	whole := newInstr(kernels.GradNormRest, all.Precision, map[string]ir.ID{"norm": all.Arg("norm"), "norms": norms},
		[]int64{rest[last].Length, int64(len(products) + last)})
	whole.BindAt("grads", all.Arg("grads"), rest[last].First)
	out.Instrs = slices.Concat(out.Instrs[:at], append(end, whole), out.Instrs[at+1:])
	return out
}

// normed finds the products of which each alone writes the gradient of a whole parameter, and where those gradients lie.
func normed(p ir.Program, spans []ir.Span) (products []int, covered []ir.Span) {
	place := map[string]ir.Span{}
	for _, s := range spans {
		place[ir.GradPrefix+s.Name] = s
	}
	writers := make([]int, len(p.Values))
	for n := range p.Instrs {
		for at, id := range p.Instrs[n].Args {
			if id != ir.None && p.Instrs[n].Writes(at) {
				writers[id]++
			}
		}
	}
	for n := range p.Instrs {
		dw := p.Instrs[n].Arg("dw")
		if p.Instrs[n].Kernel != kernels.LinearDW || dw == ir.None || writers[dw] != 1 {
			continue
		}
		if span, ok := place[p.Values[dw].Name]; ok {
			products, covered = append(products, n), append(covered, span)
		}
	}
	return products, covered
}

// uncovered are the parts of 0..n-1 that lie between the spans, in their order; at least one, which may be empty.
func uncovered(spans []ir.Span, n int64) []ir.Span {
	slices.SortFunc(spans, func(a, b ir.Span) int { return cmp.Compare(a.First, b.First) })
	var rest []ir.Span
	first := int64(0)
	for _, s := range append(spans, ir.Span{First: n}) {
		if s.First > first {
			rest = append(rest, ir.Span{First: first, Length: s.First - first})
		}
		first = s.First + s.Length
	}
	if rest == nil {
		return []ir.Span{{}}
	}
	return rest
}
