package lower_test

import (
	"strings"
	"testing"

	"gorgonia.org/gorgonia"

	"atoll/engine/ir"
	"atoll/engine/lower"
	"atoll/engine/op"
	"atoll/kernels"
)

// list is a builder with the leaves that the pass tests share.
type list struct {
	*ir.Builder
	t       *testing.T
	x, w, b ir.ID // x [4, 6], w [6, 6], b [6]
}

func newList(t *testing.T) list {
	b := ir.NewBuilder()
	return list{b, t, b.Value(ir.Value{Name: "x", Kind: ir.Input, Shape: []int{4, 6}}),
		b.Value(ir.Value{Name: "w", Kind: ir.Param, Shape: []int{6, 6}}), b.Value(ir.Value{Name: "b", Kind: ir.Param, Shape: []int{6}})}
}

func (l list) linear(y, x ir.ID) ir.ID {
	l.Emit(kernels.Linear, ir.Args{"y": y, "x": x, "w": l.w}, ir.Dims{"N": 4, "I": 6, "O": 6})
	return y
}

func (l list) dx(dy ir.ID) ir.ID {
	dx := l.Temp(4, 6)
	l.Emit(kernels.LinearDX, ir.Args{"dx": dx, "dy": dy, "w": l.w}, ir.Dims{"N": 4, "I": 6, "O": 6})
	return dx
}

func (l list) norm(x ir.ID) ir.ID {
	y := l.Temp(4, 6)
	l.Emit(kernels.LayerNorm, ir.Args{"out": y, "x": x, "g": l.b, "b": l.b}, ir.Dims{"N": 4, "C": 6}, 1e-5)
	return y
}

func (l list) add(out, a, b ir.ID) ir.ID {
	l.Emit(kernels.Add, ir.Args{"out": out, "a": a, "b": b}, ir.Dims{"N": 24})
	return out
}

func (l list) output() ir.ID {
	return l.Value(ir.Value{Name: "out", Kind: ir.Output, Shape: []int{4, 6}})
}

// passed applies a pass, verifies its result, and fails where the pass changed its argument.
func (l list) passed(pass func(ir.Program) ir.Program) string {
	l.t.Helper()
	p, err := l.Program()
	if err != nil {
		l.t.Fatal(err)
	}
	before := p.String()
	after := pass(p)
	if p.String() != before {
		l.t.Errorf("the pass changed its argument to\n%s", p)
	}
	if err := ir.Verify(after); err != nil {
		l.t.Errorf("after the pass: %v\n%s", err, after)
	}
	return after.String()
}

func (l list) want(got string, lines ...string) {
	l.t.Helper()
	var short []string
	for line := range strings.Lines(got) {
		words := strings.Fields(line[4:])
		short = append(short, strings.Join(words, " "))
	}
	for n := range max(len(short), len(lines)) {
		if n >= len(short) || n >= len(lines) || !strings.HasPrefix(short[n], lines[n]) {
			l.t.Errorf("got\n%s\nwant lines that begin with\n%s", got, strings.Join(lines, "\n"))
			return
		}
	}
}

func TestFuseMovesASumIntoTheProductBeforeIt(t *testing.T) {
	l := newList(t)
	h := l.norm(l.x)
	l.add(l.output(), h, l.linear(l.Temp(4, 6), h))
	l.want(l.passed(lower.Fuse), "%3:fp32[4,6] = layernorm.fp32(x=x", "out:fp32[4,6] = linear.fp32(x=%3, w=w, res=%3)")
}

// TestFuseKeepsASum where the product's own result is wanted too, where the other operand comes later, and where one
// value is added to itself.
func TestFuseKeepsASum(t *testing.T) {
	l := newList(t)
	y := l.linear(l.Temp(4, 6), l.x)
	sum := l.add(l.Temp(4, 6), l.x, y)
	l.add(l.output(), sum, y)
	l.want(l.passed(lower.Fuse), "%3:fp32[4,6] = linear", "%4:fp32[4,6] = add.fp32(a=x, b=%3)", "out:fp32[4,6] = add.fp32(a=%4, b=%3)")

	l = newList(t)
	early := l.linear(l.Temp(4, 6), l.x)
	l.add(l.output(), early, l.norm(l.x)) // a norm cannot add, and the product runs before the norm
	l.want(l.passed(lower.Fuse), "%3:fp32[4,6] = linear", "%5:fp32[4,6] = layernorm", "out:fp32[4,6] = add.fp32(a=%3, b=%5)")

	l = newList(t)
	y = l.linear(l.Temp(4, 6), l.x)
	l.add(l.output(), y, y)
	l.want(l.passed(lower.Fuse), "%3:fp32[4,6] = linear", "out:fp32[4,6] = add.fp32(a=%3, b=%3)")
}

// TestFuseAddsOnce: a product that adds one value already has no room for a second.
func TestFuseAddsOnce(t *testing.T) {
	l := newList(t)
	a, b := l.norm(l.x), l.norm(l.x)
	sum := l.add(l.Temp(4, 6), a, l.linear(l.Temp(4, 6), l.x))
	l.add(l.output(), sum, b)
	l.want(l.passed(lower.Fuse), "%3:", "%4:", "%5:fp32[4,6] = linear.fp32(x=x, w=w, res=%3)", "out:fp32[4,6] = add.fp32(a=%5, b=%4)")
}

func TestFuseMovesTheGELUGradientIntoTheProduct(t *testing.T) {
	l := newList(t)
	pre := l.norm(l.x)
	dy := l.dx(l.x)
	out := l.output()
	l.Emit(kernels.GELUBackward, ir.Args{"dpre": out, "dy": dy, "pre": pre}, ir.Dims{"N": 24})
	l.want(l.passed(lower.Fuse), "%3:fp32[4,6] = layernorm", "out:fp32[4,6] = linear.dx.fp32(dy=x, w=w, pre=%3)")
}

// TestFuseKeepsTheGELUGradient where the product's own result is wanted too.
func TestFuseKeepsTheGELUGradient(t *testing.T) {
	l := newList(t)
	pre := l.norm(l.x)
	dy := l.dx(l.x)
	dpre := l.Temp(4, 6)
	l.Emit(kernels.GELUBackward, ir.Args{"dpre": dpre, "dy": dy, "pre": pre}, ir.Dims{"N": 24})
	l.add(l.output(), dpre, dy)
	l.want(l.passed(lower.Fuse), "%3:", "%4:fp32[4,6] = linear.dx", "%5:fp32[4,6] = gelu.backward", "out:fp32[4,6] = add")
}

func TestDropDead(t *testing.T) {
	l := newList(t)
	mean, rstd, y := l.Temp(4), l.Temp(4), l.Temp(4, 6)
	l.Emit(kernels.LayerNorm, ir.Args{"out": y, "mean": mean, "rstd": rstd, "x": l.x, "g": l.b, "b": l.b}, ir.Dims{"N": 4, "C": 6}, 1e-5)
	l.linear(l.Temp(4, 6), l.norm(y)) // a chain that nothing reads
	l.add(l.output(), y, l.x)
	l.want(l.passed(lower.DropDead), "%5:fp32[4,6] = layernorm", "out:fp32[4,6] = add.fp32(a=%5, b=x)")
}

// TestNarrow: what follows from a value that a kernel wants in fp32 stays fp32, however long the chain; the rest does not.
func TestNarrow(t *testing.T) {
	l := newList(t)
	lengths := l.Value(ir.Value{Name: "lengths", Kind: ir.Input, DType: kernels.I32, Shape: []int{2}})
	narrow := l.Temp(4, 6)
	l.Emit(kernels.Dropout, ir.Args{"y": narrow, "x": l.norm(l.Temp(4, 6)), "seed": lengths}, ir.Dims{"N": 24}, 0.5)
	pooled := l.Temp(2, 6)
	l.Emit(kernels.Pool, ir.Args{"out": pooled, "x": narrow, "lengths": lengths}, ir.Dims{"B": 2, "T": 2, "C": 6})
	chain := pooled
	for range 4 {
		next := l.Temp(2, 6)
		l.Emit(kernels.LayerNorm, ir.Args{"out": next, "x": chain, "g": l.b, "b": l.b}, ir.Dims{"N": 2, "C": 6}, 1e-5)
		chain = next
	}
	p, err := l.Program()
	if err != nil {
		t.Fatal(err)
	}
	before := p.String()
	got := lower.Narrow(p, kernels.BF16)
	if p.String() != before {
		t.Errorf("the pass changed its argument to\n%s", p)
	}
	for n, i := range got.Instrs {
		want := kernels.BF16
		if n > 2 {
			want = kernels.F32
		}
		if i.Precision != want {
			t.Errorf("instruction %d: %s; want %v", n, got.Line(n), want)
		}
	}
	if same := lower.Narrow(p, kernels.F32); same.String() != before {
		t.Errorf("fp32 changed the list to\n%s", same)
	}
}

// TestGraphRefusesForeignOps: an op that is not of package op is named.
func TestGraphRefusesForeignOps(t *testing.T) {
	g := op.NewGraph()
	x := g.Param("x", 2, 3)
	g.Outputs["y"] = gorgonia.Must(gorgonia.Tanh(x))
	if _, err := lower.Graph(g); err == nil || !strings.Contains(err.Error(), "tanh") || !strings.Contains(err.Error(), "engine/op") {
		t.Errorf("%v, want an error that names tanh", err)
	}
	g = op.NewGraph()
	x = g.Param("x", 2, 3)
	g.Loss = gorgonia.Must(gorgonia.Sum(gorgonia.Must(op.Residual(x, x))))
	if err := g.Differentiate("x"); err != nil {
		t.Fatal(err)
	}
	if _, err := lower.Graph(g); err == nil {
		t.Error("a loss that is a stock op was lowered")
	}
}

// TestGraphLowersWhatIsNeeded: nodes that no end depends on leave no instruction.
func TestGraphLowersWhatIsNeeded(t *testing.T) {
	g := op.NewGraph()
	x, w := g.Input("x", kernels.F32, 4, 6), g.Param("w", 6, 6)
	y := gorgonia.Must(op.Linear(x, w, nil, false, op.Identity))
	gorgonia.Must(op.Residual(y, x))
	g.Outputs["y"] = y
	p, err := lower.Graph(g)
	if err != nil {
		t.Fatal(err)
	}
	newList(t).want(p.String(), "y:fp32[4,6] = linear.fp32(x=x, w=w)")
}
