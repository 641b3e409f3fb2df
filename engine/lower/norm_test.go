package lower_test

import (
	"strings"
	"testing"

	"atoll/engine/ir"
	"atoll/engine/lower"
	"atoll/kernels"
)

// gradients makes dw of a and of b by products, that of b by two, and the norm of all.
func gradients(t *testing.T, twice bool) list {
	l := newList(t)
	step := l.Value(ir.Value{Name: ir.StepInput, Kind: ir.Input, Shape: []int{kernels.StepSize}})
	for _, name := range []string{"a", "b"} {
		dw := l.Value(ir.Value{Name: ir.GradPrefix + name, Kind: ir.Grad, Shape: []int{6, 6}})
		for n := range 2 {
			if n == 0 || twice && name == "b" {
				l.Emit(kernels.LinearDW, ir.Args{"dw": dw, "x": l.x, "dy": l.x, "step": step}, ir.Dims{"N": 4, "I": 6, "O": 6, "mode": n})
			}
		}
	}
	norm := l.Value(ir.Value{Name: ir.GradNorm, Kind: ir.Output})
	grads := l.Value(ir.Value{Name: ir.FlatGrads, Kind: ir.Grad, Shape: []int{200}})
	l.Emit(kernels.GradNorm, ir.Args{"norm": norm, "grads": grads}, ir.Dims{"N": 200})
	return l
}

func TestNormAlong(t *testing.T) {
	a, b := ir.Span{Name: "a", First: 16, Length: 48}, ir.Span{Name: "b", First: 64, Length: 48}
	for name, c := range map[string]struct {
		twice bool
		spans []ir.Span
		want  []string
		not   string
	}{
		"around two neighbours": {false, []ir.Span{b, a},
			[]string{"%8[1:]:fp32[3] = linear.dw.norm", "%8[2:]:fp32[3] = grad.norm.fp32(grads=grads.) {N=16}", "grads.[112:], norms=%8) {N=88 P=3}"}, "linear.dw.fp32"},
		"one is written twice": {true, []ir.Span{a, b},
			[]string{"linear.dw.norm", "linear.dw.fp32", "{N=16}", "grads.[64:], norms=%8) {N=136 P=2}"}, "P=3"},
		"all of it": {false, []ir.Span{{Name: "a", Length: 100}, {Name: "b", First: 100, Length: 100}}, []string{"{N=0 P=2}"}, "grad.norm.fp32"},
		"no spans":  {false, nil, []string{"linear.dw.fp32", "grad.norm.fp32(grads=grads.) {N=200}"}, "rest"},
	} {
		text := gradients(t, c.twice).passed(func(p ir.Program) ir.Program { return lower.NormAlong(p, c.spans) })
		for _, want := range c.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in\n%s", name, want, text)
			}
		}
		if strings.Contains(text, c.not) {
			t.Errorf("%s: %q in\n%s", name, c.not, text)
		}
	}
	l := newList(t)
	l.linear(l.output(), l.x)
	if text := l.passed(func(p ir.Program) ir.Program { return lower.NormAlong(p, []ir.Span{a}) }); strings.Contains(text, "norm") {
		t.Errorf("a list without a norm got one:\n%s", text)
	}
}

// embedded makes the gradient of an embedding by a head, if there is one, and then by embed.backward, in a mode.
func embedded(t *testing.T, head bool, rows, mode int) list {
	l := newList(t)
	named := func(name string, kind ir.Kind, shape ...int) ir.ID {
		return l.Named(ir.Value{Name: name, Kind: kind, Shape: shape})
	}
	ids := func(name string) ir.ID {
		return l.Named(ir.Value{Name: name, Kind: ir.Input, DType: kernels.I32, Shape: []int{8}})
	}
	step, dwte, wte := named(ir.StepInput, ir.Input, kernels.StepSize), named(ir.GradPrefix+"wte", ir.Grad, 9, 6), named("wte", ir.Param, 9, 6)
	if head {
		l.Emit(kernels.HeadLoss, ir.Args{"loss": named(ir.Loss, ir.Output), "dwte": dwte, "h": l.x, "wte": wte, "targets": ids("targets"), "step": step,
			"logits": l.Temp(2, 9)}, ir.Dims{"N": rows, "C": 6, "V": 9, "R": 2, "LD": 9})
	}
	l.Emit(kernels.EmbedBackward, ir.Args{"dwte": dwte, "dwpe": named(ir.GradPrefix+"wpe", ir.Grad, 2, 6), "dout": l.x, "tokens": ids("tokens"), "step": step},
		ir.Dims{"B": 2, "T": 2, "C": 6, "V": 9, "P": 2, "wteMode": mode})
	l.Emit(kernels.GradNorm, ir.Args{"norm": named(ir.GradNorm, ir.Output), "grads": named(ir.FlatGrads, ir.Grad, 200)}, ir.Dims{"N": 200})
	return l
}

func TestNormAlongOfAnEmbedding(t *testing.T) {
	spans := []ir.Span{{Name: "wte", First: 0, Length: 64}, {Name: "wpe", First: 64, Length: 16}}
	for name, c := range map[string]struct {
		head       bool
		rows, mode int
		want       []string
		not        string
	}{
		"by the head and its tokens": {true, 4, kernels.Accumulate,
			[]string{":fp32[2] = head.loss.norm.fp32(h=x, wte=wte, targets=targets, step=step, tokens=tokens)", "[1:]:fp32[2] = embed.backward.norm", "grads.[64:]", "{N=136 P=2}"}, "embed.backward.fp32"},
		"by its tokens alone":           {false, 0, kernels.ByStep, []string{":fp32[1] = embed.backward.norm", "grads.[64:]", "{N=136 P=1}"}, "grad.norm.fp32"},
		"of other rows than the head's": {true, 3, kernels.Accumulate, []string{"grad.norm.fp32(grads=grads.) {N=200}"}, "rest"},
		"overwritten after the head":    {true, 4, kernels.Overwrite, []string{"grad.norm.fp32(grads=grads.) {N=200}"}, "rest"},
	} {
		text := embedded(t, c.head, c.rows, c.mode).passed(func(p ir.Program) ir.Program { return lower.NormAlong(p, spans) })
		for _, want := range c.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in\n%s", name, want, text)
			}
		}
		if strings.Contains(text, c.not) {
			t.Errorf("%s: %q in\n%s", name, c.not, text)
		}
	}
}
