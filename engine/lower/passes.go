package lower

import (
	"slices"

	"atoll/engine/ir"
	"atoll/kernels"
)

// uses counts, for each value, the arguments that read it; ends of the program count as one more.
func uses(p ir.Program) []int {
	count := make([]int, len(p.Values))
	for id, v := range p.Values {
		if v.Kind != ir.Temp && v.Kind != ir.Input && v.Kind != ir.Param {
			count[id]++
		}
	}
	for n := range p.Instrs {
		for at, id := range p.Instrs[n].Args {
			if id != ir.None && p.Instrs[n].Reads(at) {
				count[id]++
			}
		}
	}
	return count
}

// makers gives, for each value, the first instruction that writes it, -1 where none does.
func makers(p ir.Program) []int {
	made := make([]int, len(p.Values))
	for id := range made {
		made[id] = -1
	}
	for n := range p.Instrs {
		for at, id := range p.Instrs[n].Args {
			if id != ir.None && p.Instrs[n].Writes(at) && made[id] < 0 {
				made[id] = n
			}
		}
	}
	return made
}

// DropDead removes instructions whose results nobody reads, and optional results nobody reads of the others.
func DropDead(p ir.Program) ir.Program {
	out := p.Clone()
	read := make([]bool, len(p.Values))
	for id, v := range p.Values {
		read[id] = v.Kind == ir.Output || v.Kind == ir.Grad || v.Kind == ir.State || v.Kind == ir.Param
	}
	kept := make([]ir.Instr, len(p.Instrs))
	first := len(kept)
	for n := len(p.Instrs) - 1; n >= 0; n-- { // from the end, so that readers are known before their makers
		i := p.Instrs[n]
		if !dropOutputs(&i, read) {
			continue
		}
		for at, id := range i.Args {
			if id != ir.None && i.Reads(at) {
				read[id] = true
			}
		}
		first--
		kept[first] = i
	}
	out.Instrs = kept[first:]
	return out
}

// dropOutputs clears the optional outputs of i that nobody reads and reports whether any output is read.
func dropOutputs(i *ir.Instr, read []bool) bool {
	alive := false
	for at, arg := range kernels.SignatureOf(i.Kernel).Args {
		id := i.Args[at]
		if id == ir.None || !i.Writes(at) {
			continue
		}
		if read[id] {
			alive = true
		} else if arg.Optional {
			i.Args[at] = ir.None
		}
	}
	return alive
}

// addends names, for the kernels that can add another value to their result, the result and the argument that takes it.
var addends = map[kernels.Kernel][2]string{
	kernels.Linear:            {"y", "res"},
	kernels.Dropout:           {"y", "res"},
	kernels.LayerNormBackward: {"dx", "dres"},
	kernels.LinearDX:          {"dx", "dres"},
}

// Fuse moves GELU gradients and sums into the kernels that make their operands: the residual sum into the projection
// before it, the gradient that passes by a norm into the norm's backward, gelu' into the product that made its operand.
func Fuse(p ir.Program) ir.Program { return DropDead(fuseSums(fuseGELU(p))) }

func fuseGELU(p ir.Program) ir.Program {
	out := p.Clone()
	count := uses(p)
	for n := 0; n < len(out.Instrs); {
		g := out.Instrs[n]
		if g.Kernel == kernels.GELUBackward && count[g.Arg("dy")] == 1 && fuseIntoProduct(out, &g) {
			out.Instrs = slices.Delete(out.Instrs, n, n+1)
			continue
		}
		n++
	}
	return out
}

// fuseIntoProduct lets the product that makes g's operand apply gelu' as it stores its result.
func fuseIntoProduct(out ir.Program, g *ir.Instr) bool {
	dy := g.Arg("dy")
	for n := range out.Instrs {
		maker := &out.Instrs[n]
		if maker.Kernel == kernels.LinearDX && maker.Arg("dx") == dy && maker.Arg("pre") == ir.None && maker.Arg("dres") == ir.None {
			maker.Bind("pre", g.Arg("pre"))
			maker.Bind("dx", g.Arg("dpre"))
			return true
		}
	}
	return false
}

func fuseSums(p ir.Program) ir.Program {
	out := p.Clone()
	count := uses(p)
	for n := 0; n < len(out.Instrs); {
		sum := out.Instrs[n]
		made := makers(out) // again for each sum: an earlier one may have moved a maker's result
		a, b := sum.Arg("a"), sum.Arg("b")
		if sum.Kernel == kernels.Add && (fuseSum(out, &sum, made, count, a, b) || fuseSum(out, &sum, made, count, b, a)) {
			out.Instrs = slices.Delete(out.Instrs, n, n+1)
			continue
		}
		n++
	}
	return out
}

// fuseSum lets the maker of part add other to it, if part is used here alone and other is there in time.
func fuseSum(p ir.Program, sum *ir.Instr, made, count []int, part, other ir.ID) bool {
	if part == other || count[part] != 1 || made[part] < 0 || made[other] >= made[part] {
		return false
	}
	if made[other] < 0 && p.Values[other].Kind == ir.Temp {
		return false
	}
	maker := &p.Instrs[made[part]]
	names, ok := addends[maker.Kernel]
	if !ok || maker.Arg(names[0]) != part || maker.Arg(names[1]) != ir.None {
		return false
	}
	maker.Bind(names[1], other)
	maker.Bind(names[0], sum.Arg("out"))
	return true
}

// Narrow sets the precision of activations. Values that some kernel wants in fp32 (the pooled state and what follows
// from it) stay fp32, and so does every kernel that works on them.
func Narrow(p ir.Program, dtype kernels.DType) ir.Program {
	out := p.Clone()
	if dtype == kernels.F32 {
		return out
	}
	wide := make([]bool, len(p.Values))
	for id, v := range p.Values {
		wide[id] = v.Kind == ir.Input || v.Kind == ir.Param || v.Kind == ir.Grad
	}
	for n := range p.Instrs {
		for at, arg := range kernels.SignatureOf(p.Instrs[n].Kernel).Args {
			if id := p.Instrs[n].Args[at]; id != ir.None && arg.Class != kernels.Act {
				wide[id] = true
			}
		}
	}
	for widen(p, wide) {
	}
	for n := range out.Instrs {
		narrowInstr(out, &out.Instrs[n], wide, dtype)
	}
	return out
}

// widen makes all activations of an instruction fp32 if one is, and reports whether anything changed.
func widen(p ir.Program, wide []bool) bool {
	changed := false
	for n := range p.Instrs {
		if !anyAct(&p.Instrs[n], wide) {
			continue
		}
		for at, arg := range kernels.SignatureOf(p.Instrs[n].Kernel).Args {
			if id := p.Instrs[n].Args[at]; id != ir.None && arg.Class == kernels.Act && !wide[id] {
				wide[id], changed = true, true
			}
		}
	}
	return changed
}

func anyAct(i *ir.Instr, wide []bool) bool {
	for at, arg := range kernels.SignatureOf(i.Kernel).Args {
		if id := i.Args[at]; id != ir.None && arg.Class == kernels.Act && wide[id] {
			return true
		}
	}
	return false
}

func narrowInstr(p ir.Program, i *ir.Instr, wide []bool, dtype kernels.DType) {
	if anyAct(i, wide) {
		return
	}
	for at, arg := range kernels.SignatureOf(i.Kernel).Args {
		if id := i.Args[at]; id != ir.None && arg.Class == kernels.Act {
			i.Precision = dtype
			p.Values[id].DType = dtype
		}
	}
}
