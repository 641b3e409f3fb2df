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
