package lower_test

import (
	"strings"
	"testing"

	"atoll/engine/ir"
	"atoll/engine/lower"
	"atoll/kernels"
)

// trained is a step over two weights of 32 x 32: products of bf16, their gradients, and one update of 3,072 elements, a gap before and behind the
// weights' 1,024 at 512 and at 1,536. change may change it before it is passed.
func trained(t *testing.T, change func(p *ir.Program)) string {
	t.Helper()
	b := ir.NewBuilder()
	named := func(name string, kind ir.Kind, shape ...int) ir.ID {
		return b.Named(ir.Value{Name: name, Kind: kind, Shape: shape})
	}
	half := func(v ir.Value) ir.ID { v.DType = kernels.BF16; return b.Value(v) }
	x := half(ir.Value{Name: "x", Kind: ir.Input, Shape: []int{4, 32}})
	step := named(ir.StepInput, ir.Input, kernels.StepSize)
	last := x
	for _, w := range []string{"a", "b"} {
		y, dx := half(ir.Value{Shape: []int{4, 32}}), half(ir.Value{Name: "dx." + w, Kind: ir.Output, Shape: []int{4, 32}})
		b.Emit(kernels.Linear, ir.Args{"y": y, "x": last, "w": named(w, ir.Param, 32, 32)}, ir.Dims{"N": 4, "I": 32, "O": 32, "gelu": 1})
		b.Emit(kernels.LinearDX, ir.Args{"dx": dx, "dy": y, "w": named(w, ir.Param, 32, 32)}, ir.Dims{"N": 4, "I": 32, "O": 32})
		b.Emit(kernels.LinearDW, ir.Args{"dw": named(ir.GradPrefix+w, ir.Grad, 32, 32), "x": last, "dy": y, "step": step},
			ir.Dims{"N": 4, "I": 32, "O": 32, "mode": kernels.ByStep})
		last = y
	}
	b.Emit(kernels.AdamW, ir.Args{"weights": named(ir.FlatWeights, ir.Param, 9000), "m": named(ir.FlatMoment1, ir.State, 9000),
		"v": named(ir.FlatMoment2, ir.State, 9000), "grads": named(ir.FlatGrads, ir.Grad, 9000), "norm": named(ir.GradNorm, ir.Input),
		"loss": named(ir.Loss, ir.Input), "step": step}, ir.Dims{"N": 3072}, 0.9, 0.95, 1e-8, 0.1, 1)
	b.View(ir.Views{"weights": 5000, "m": 100, "v": 100, "grads": 100})
	p, err := b.Program()
	if err != nil {
		t.Fatal(err)
	}
	for n := range p.Instrs {
		if p.Instrs[n].Kernel != kernels.AdamW {
			p.Instrs[n].Precision = kernels.BF16
		}
	}
	if change != nil {
		change(&p)
	}
	before := p.String()
	passed := lower.PackAlong(p, []ir.Span{{Name: "b", First: 1636, Length: 1024}, {Name: "a", First: 612, Length: 1024}, {Name: "absent", First: 0, Length: 64}})
	if err := ir.Verify(passed); err != nil {
		t.Error(err)
	}
	if p.String() != before || len(p.Once) != 0 {
		t.Error("the pass changed its argument")
	}
	if laid := strings.Count(passed.String(), "adamw.packed"); laid != len(passed.Once) || laid != len(strings.Fields(lower.LaidAlong(passed))) {
		t.Errorf("%d updates lay weights out, %d instructions do before the first step, of the weights %q", laid, len(passed.Once), lower.LaidAlong(passed))
	}
	return passed.String()
}

func TestPackAlong(t *testing.T) {
	text := trained(t, nil)
	for _, want := range []string{
		"linear.packed.bf16(x=x, packed=twice.a) {N=4 I=32 O=32 gelu=1 format=3 S=1024 stream=0}",
		"dx.b:bf16[4,32] = linear.dx.packed.bf16(dy=%6, packed=twice.b) {N=4 I=32 O=32}",
		"weights.[5000:]:fp32[9000], moment1.[100:]:fp32[9000], moment2.[100:]:fp32[9000] = adamw.fp32(grads=grads.[100:], norm=grad_norm, loss=loss, step=step) {N=512 ",
		"weights.[5512:]:fp32[9000], moment1.[612:]:fp32[9000], moment2.[612:]:fp32[9000], twice.a:int32[32,32] = " +
			"adamw.packed.fp32(grads=grads.[612:], norm=grad_norm, loss=loss, step=step) {I=32 O=32 beta1=0.9 beta2=0.95 epsilon=1e-08 decay=0.1 clip=1}",
		"weights.[6536:]:fp32[9000], moment1.[1636:]:fp32[9000], moment2.[1636:]:fp32[9000], twice.b:int32[32,32] = adamw.packed",
		"weights.[7560:]:fp32[9000], moment1.[2660:]:fp32[9000], moment2.[2660:]:fp32[9000] = adamw.fp32(grads=grads.[2660:], norm=grad_norm, loss=loss, step=step) {N=512 ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// What cannot read a weight laid out keeps it as it is, the other weight not.
func TestPackAlongLeavesAlone(t *testing.T) {
	for name, change := range map[string]func(p *ir.Program){
		"fp32": func(p *ir.Program) {
			for n := range p.Values {
				if p.Values[n].DType == kernels.BF16 {
					p.Values[n].DType = kernels.F32
				}
			}
			for n := range p.Instrs {
				p.Instrs[n].Precision = kernels.F32
			}
		},
		"an update that rounds": func(p *ir.Program) {
			p.Instrs[6].Bind("seed", ir.ID(len(p.Values)))
			p.Values = append(p.Values, ir.Value{Name: ir.SeedInput, Kind: ir.Input, DType: kernels.I32, Shape: []int{2}})
		},
		"an update of a part": func(p *ir.Program) { p.Instrs[6].Dims[0] = 900 },
		"gradients of others": func(p *ir.Program) {
			for n := range p.Values {
				if p.Values[n].Kind == ir.Grad && p.Values[n].Name != ir.FlatGrads {
					p.Values[n].Name += "'"
				}
			}
		},
	} {
		if text := trained(t, change); strings.Contains(text, "packed") {
			t.Errorf("%s: weights are laid out in\n%s", name, text)
		}
	}
	for name, change := range map[string]func(p *ir.Program){
		"a product behind the gradient":    func(p *ir.Program) { p.Instrs[1], p.Instrs[2] = p.Instrs[2], p.Instrs[1] },
		"a weight that lies the other way": func(p *ir.Program) { p.Instrs[0].Dims[3] = 1 },
		"another reader": func(p *ir.Program) {
			out := ir.ID(len(p.Values))
			p.Values = append(p.Values, ir.Value{Name: "sum", Kind: ir.Output, Shape: []int{1024}})
			i := ir.Instr{Kernel: kernels.Add}
			for at := range i.Args {
				i.Args[at] = ir.None
			}
			i.Bind("out", out)
			i.Bind("a", p.Instrs[0].Arg("w"))
			i.Bind("b", p.Instrs[0].Arg("w"))
			i.Dims[0] = 1024
			p.Instrs = append(p.Instrs, i)
		},
	} {
		if text := trained(t, change); strings.Contains(text, "twice.a") || !strings.Contains(text, "twice.b") {
			t.Errorf("%s: a is laid out, or b is not, in\n%s", name, text)
		}
	}
}
