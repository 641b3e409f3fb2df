package lower

import (
	"fmt"
	"slices"
	"strings"

	"atoll/engine/ir"
	"atoll/kernels"
)

// Recomputation is what backward computes again instead of keeping it from forward on.
type Recomputation uint8

const (
	RecomputeNone  Recomputation = iota
	RecomputeGELU                // the outputs of GELUs and of layer norms, from what went into them
	RecomputeBlock               // everything of a transformer block, from its input
	RecomputeAuto                // as RecomputeGELU where that frees FreedByAuto bytes or more, else as RecomputeNone
)

// FreedByAuto is what is worth a second look at the GELUs and norms. Less stays in or near a processor's last cache.
const FreedByAuto = 64 << 20

var recomputations = []string{"none", "gelu", "block", "auto"}

func (r Recomputation) String() string { return recomputations[r] }

// ParseRecomputation reads none, gelu, block or auto.
func ParseRecomputation(name string) (Recomputation, error) {
	if n := slices.Index(recomputations, name); n >= 0 {
		return Recomputation(n), nil
	}
	return 0, fmt.Errorf("recomputation is %q, want %s", name, strings.Join(recomputations, ", "))
}

// Recompute lets the instructions behind the loss read values that are computed again just before, so that those of forward
// live until their last use in forward. What is computed again has the same bits: it comes from the same operands by the same
// kernel, or by gelu from what linear stored, and dropout's masks are functions of the seed. A list without a loss stays as it is.
func Recompute(p ir.Program, how Recomputation) ir.Program {
	made := makers(p)
	loss := lossOf(p, made)
	if how == RecomputeAuto {
		how = settle(p, made)
	}
	if how == RecomputeNone || loss < 0 {
		return p.Clone()
	}
	r := recomputing{out: ir.Program{Values: slices.Clone(p.Values)}, p: p, made: made, how: how, again: map[ir.ID]ir.ID{}}
	r.dropped = droppable(p, made, how)
	for n, i := range p.Instrs {
		if n > loss {
			r.replaceReads(&i)
		}
		r.out.Instrs = append(r.out.Instrs, i)
	}
	return DropDead(r.out)
}

// settle is what auto means for a list.
func settle(p ir.Program, made []int) Recomputation {
	var freed int64
	for id, drop := range droppable(p, made, RecomputeGELU) {
		if v := p.Values[id]; drop {
			freed += v.Elements() * int64(v.DType.Size())
		}
	}
	if freed >= FreedByAuto {
		return RecomputeGELU
	}
	return RecomputeNone
}

// lossOf is the instruction that makes the loss, -1 where none does.
func lossOf(p ir.Program, made []int) int {
	for id, v := range p.Values {
		if v.Kind == ir.Output && v.Name == ir.Loss {
			return made[id]
		}
	}
	return -1
}

// droppable are the values that forward need not keep for backward.
func droppable(p ir.Program, made []int, how Recomputation) []bool {
	dropped := make([]bool, len(p.Values))
	first, last := blocks(p, made)
	for id, v := range p.Values {
		if v.Kind != ir.Temp || made[id] < 0 {
			continue
		}
		maker := &p.Instrs[made[id]]
		switch how {
		case RecomputeGELU:
			dropped[id] = ofGELU(maker, ir.ID(id)) || maker.Kernel == kernels.LayerNorm && maker.Arg("out") == ir.ID(id)
		case RecomputeBlock:
			dropped[id] = made[id] > first && made[id] < last && !isBlock(v) && repeatable(maker)
		}
	}
	return dropped
}

// ofGELU says that y is what i's GELU makes of what i stores as pre.
func ofGELU(i *ir.Instr, y ir.ID) bool {
	return i.Kernel == kernels.Linear && i.Dim("gelu") == 1 && i.Arg("y") == y && i.Arg("pre") != ir.None && i.Arg("res") == ir.None
}

// blocks are the instructions that make the first block's input and the last block's output; none lie between where the
// list has no blocks.
func blocks(p ir.Program, made []int) (first, last int) {
	first, last = len(p.Instrs), -1
	for id, v := range p.Values {
		if isBlock(v) {
			first, last = min(first, made[id]), max(last, made[id])
		}
	}
	return first, last
}

func isBlock(v ir.Value) bool { return v.Kind == ir.Temp && strings.HasPrefix(v.Name, ir.BlockPrefix) }

// repeatable says that i gives the same when it runs twice: it adds to nothing and changes nothing.
func repeatable(i *ir.Instr) bool {
	for at, arg := range kernels.SignatureOf(i.Kernel).Args {
		if i.Args[at] != ir.None && arg.Access != kernels.In && arg.Access != kernels.Out {
			return false
		}
	}
	return true
}

type recomputing struct {
	p, out  ir.Program
	made    []int
	how     Recomputation
	dropped []bool
	again   map[ir.ID]ir.ID // the copies made so far
}

// replaceReads lets i read copies of the dropped values, which are computed before it where they are not there yet.
func (r *recomputing) replaceReads(i *ir.Instr) {
	for at, id := range i.Args {
		if id != ir.None && int(id) < len(r.dropped) && r.dropped[id] && i.Reads(at) {
			i.Args[at] = r.copy(id)
		}
	}
}

// copy gives the copy of a dropped value. All outputs of its maker get theirs with it; those that nobody reads are dropped as
// dead code later.
func (r *recomputing) copy(id ir.ID) ir.ID {
	if c, ok := r.again[id]; ok {
		return c
	}
	i := r.p.Instrs[r.made[id]]
	if r.how == RecomputeGELU && ofGELU(&i, id) {
		i = geluOf(i, id, r.p.Values[id])
	}
	r.replaceReads(&i)
	for at, old := range i.Args {
		if old != ir.None && i.Writes(at) {
			r.again[old] = ir.ID(len(r.out.Values))
			r.out.Values = append(r.out.Values, r.p.Values[old])
			i.Args[at] = r.again[old]
		}
	}
	r.out.Instrs = append(r.out.Instrs, i)
	return r.again[id]
}

// geluOf is y, of value v, from what the product before it stored.
func geluOf(product ir.Instr, y ir.ID, v ir.Value) ir.Instr {
	i := ir.Instr{Kernel: kernels.GELU, Precision: product.Precision}
	for at := range i.Args {
		i.Args[at] = ir.None
	}
	i.Bind("out", y)
	i.Bind("pre", product.Arg("pre"))
	i.Dims[0] = v.Elements()
	return i
}
