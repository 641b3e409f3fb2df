package lower

import (
	"cmp"
	"slices"

	"atoll/engine/ir"
	"atoll/kernels"
)

// NormAlong lets what makes gradients of weights give their norms, too, from what it has just stored: products, and of an embedding the head, which gives
// that of the rows that no token names, and embed.backward, which gives that of the others. What is left for grad.norm to read are the other gradients.
// spans are the places of the gradients in the flat ones; a list without a norm of all of them, or without such gradients, stays as it is.
func NormAlong(p ir.Program, spans []ir.Span) ir.Program {
	at := slices.IndexFunc(p.Instrs, func(i ir.Instr) bool { return i.Kernel == kernels.GradNorm })
	givers, covered := normed(p, spans)
	if at < 0 || len(givers) == 0 {
		return p
	}
	out, all := p.Clone(), p.Instrs[at]
	rest := uncovered(covered, all.Dim("N"))
	last := len(rest) - 1
	norms := ir.ID(len(out.Values))
	out.Values = append(out.Values, ir.Value{Shape: []int{len(givers) + last}})
	for n, g := range givers {
		i := &out.Instrs[g.instr]
		i.Kernel = g.kernel // whose signature begins as that of the kernel before
		i.BindAt("norm", norms, int64(n))
		if g.kernel == kernels.HeadLossNorm {
			i.Bind("tokens", g.tokens)
		}
	}
	var end []ir.Instr
	for n, span := range rest[:last] {
		i := newInstr(kernels.GradNorm, all.Precision, nil, []int64{span.Length})
		i.BindAt("norm", norms, int64(len(givers)+n))
		i.BindAt("grads", all.Arg("grads"), span.First)
		end = append(end, i)
	}
	whole := newInstr(kernels.GradNormRest, all.Precision, map[string]ir.ID{"norm": all.Arg("norm"), "norms": norms},
		[]int64{rest[last].Length, int64(len(givers) + last)})
	whole.BindAt("grads", all.Arg("grads"), rest[last].First)
	out.Instrs = slices.Concat(out.Instrs[:at], append(end, whole), out.Instrs[at+1:])
	return out
}

// giver is an instruction that can give a norm as another kernel.
type giver struct {
	instr  int
	kernel kernels.Kernel
	tokens ir.ID // what head.loss.norm leaves out
}

// normed finds the instructions that together give the norms of whole parameters' gradients, and where those gradients lie.
func normed(p ir.Program, spans []ir.Span) (givers []giver, covered []ir.Span) {
	writers := make([][]int, len(p.Values))
	for n := range p.Instrs {
		for at, id := range p.Instrs[n].Args {
			if id != ir.None && p.Instrs[n].Writes(at) {
				writers[id] = append(writers[id], n)
			}
		}
	}
	place := map[string]ir.Span{}
	for _, s := range spans {
		place[ir.GradPrefix+s.Name] = s
	}
	for id, v := range p.Values {
		span, ok := place[v.Name]
		if some := giversOf(p, ir.ID(id), writers[id]); ok && some != nil {
			givers, covered = append(givers, some...), append(covered, span)
		}
	}
	slices.SortFunc(givers, func(a, b giver) int { return a.instr - b.instr })
	return givers, covered
}

// giversOf are the writers of a gradient if they give its norm: a product, embed.backward, or the head and then embed.backward; else nil.
func giversOf(p ir.Program, grad ir.ID, writers []int) []giver {
	last := len(writers) - 1
	if last < 0 {
		return nil
	}
	switch i := &p.Instrs[writers[last]]; {
	case last == 0 && i.Kernel == kernels.LinearDW && i.Arg("dw") == grad:
		return []giver{{writers[0], kernels.LinearDWNorm, ir.None}}
	case i.Kernel != kernels.EmbedBackward || i.Arg("dwte") != grad || last > 1:
		return nil
	case last == 0:
		return []giver{{writers[0], kernels.EmbedBackwardNorm, ir.None}}
	default:
		head := &p.Instrs[writers[0]]
		if head.Kernel != kernels.HeadLoss || head.Arg("dwte") != grad || head.Dim("N") != i.Dim("B")*i.Dim("T") || i.Dim("wteMode") != kernels.Accumulate {
			return nil
		}
		return []giver{{writers[0], kernels.HeadLossNorm, i.Arg("tokens")}, {writers[1], kernels.EmbedBackwardNorm, ir.None}}
	}
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
