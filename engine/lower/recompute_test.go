package lower_test

import (
	"testing"

	"atoll/engine/ir"
	"atoll/engine/lower"
	"atoll/kernels"
)

// block adds a norm of x and the product of it with x added, called name.
func (l list) block(x ir.ID, name string) (norm, out ir.ID) {
	norm, out = l.norm(x), l.Value(ir.Value{Name: name, Shape: []int{4, 6}})
	l.Emit(kernels.Linear, ir.Args{"y": out, "x": norm, "w": l.w, "res": x}, ir.Dims{"N": 4, "I": 6, "O": 6})
	return norm, out
}

// blocks adds two, with what goes into the first.
func (l list) blocks() (norms [2]ir.ID, out ir.ID) {
	out = l.linear(l.Value(ir.Value{Name: "block.0", Shape: []int{4, 6}}), l.x)
	norms[0], out = l.block(out, "block.1")
	norms[1], out = l.block(out, "block.2")
	return norms, out
}

// TestRecomputeWithoutALoss changes nothing: there is no backward.
func TestRecomputeWithoutALoss(t *testing.T) {
	for _, how := range []lower.Recomputation{lower.RecomputeNone, lower.RecomputeGELU, lower.RecomputeBlock} {
		l := newList(t)
		norms, out := l.blocks()
		l.add(l.output(), norms[0], out)
		l.want(l.passed(func(p ir.Program) ir.Program { return lower.Recompute(p, how) }), "block.0:fp32[4,6] = linear", "%4:fp32[4,6] = layernorm",
			"block.1:fp32[4,6] = linear", "%6:fp32[4,6] = layernorm", "block.2:fp32[4,6] = linear", "out:fp32[4,6] = add.fp32(a=%4, b=block.2)")
	}
}

// TestRecomputeBlocks: behind the loss the norm of each block is computed again right before it is read, once for all that read
// it; a block's input and what lies behind the last block are not.
func TestRecomputeBlocks(t *testing.T) {
	l := newList(t)
	norms, out := l.blocks()
	after := l.norm(out)
	loss := l.Value(ir.Value{Name: ir.Loss, Kind: ir.Output})
	l.Emit(kernels.GradNorm, ir.Args{"norm": loss, "grads": after}, ir.Dims{"N": 24}) // any kernel that gives one number
	sum := l.add(l.Temp(4, 6), norms[1], after)
	sum = l.add(l.Temp(4, 6), sum, norms[1])
	l.add(l.output(), sum, norms[0])
	l.want(l.passed(func(p ir.Program) ir.Program { return lower.Recompute(p, lower.RecomputeBlock) }),
		"block.0:fp32[4,6] = linear", "%4:fp32[4,6] = layernorm.fp32(x=block.0", "block.1:fp32[4,6] = linear.fp32(x=%4",
		"%6:fp32[4,6] = layernorm.fp32(x=block.1", "block.2:fp32[4,6] = linear.fp32(x=%6", "%8:fp32[4,6] = layernorm.fp32(x=block.2",
		"loss:fp32[] = grad.norm",
		"%13:fp32[4,6] = layernorm.fp32(x=block.1", "%10:fp32[4,6] = add.fp32(a=%13, b=%8)", "%11:fp32[4,6] = add.fp32(a=%10, b=%13)",
		"%14:fp32[4,6] = layernorm.fp32(x=block.0", "out:fp32[4,6] = add.fp32(a=%11, b=%14)")
}

func TestParseRecomputation(t *testing.T) {
	for _, how := range []lower.Recomputation{lower.RecomputeNone, lower.RecomputeGELU, lower.RecomputeBlock, lower.RecomputeAuto} {
		if got, err := lower.ParseRecomputation(how.String()); got != how || err != nil {
			t.Errorf("%v is read as %v, %v", how, got, err)
		}
	}
	if _, err := lower.ParseRecomputation("all"); err == nil || err.Error() != `recomputation is "all", want none, gelu, block, auto` {
		t.Errorf("%v", err)
	}
}
