package ir_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"atoll/engine/ir"
	"atoll/kernels"
)

var update = flag.Bool("update", false, "write the texts in testdata anew")

// sample is a small valid list with every way an argument is stored: y = x·w, its gradient as one part and another, an
// optimizer on a view.
type sample struct {
	*ir.Builder
	x, w, y, out, dw, flat, step ir.ID
}

func newSample() sample {
	b := ir.NewBuilder()
	s := sample{Builder: b}
	s.x = b.Value(ir.Value{Name: "x", Kind: ir.Input, Shape: []int{2, 3}})
	s.w = b.Value(ir.Value{Name: "w", Kind: ir.Param, Shape: []int{3, 4}})
	s.step = b.Value(ir.Value{Name: ir.StepInput, Kind: ir.Input, Shape: []int{kernels.StepSize}})
	s.y = b.Temp(2, 4)
	s.out = b.Value(ir.Value{Name: "out", Kind: ir.Output, Shape: []int{2, 4}})
	s.dw = b.Value(ir.Value{Name: "grad.w", Kind: ir.Grad, Shape: []int{3, 4}})
	s.flat = b.Value(ir.Value{Name: ir.FlatWeights, Kind: ir.Param, Shape: []int{64}})
	return s
}

// fill adds the instructions; the list is valid after it.
func (s sample) fill() {
	s.Emit(kernels.Linear, ir.Args{"y": s.y, "x": s.x, "w": s.w}, ir.Dims{"N": 2, "I": 3, "O": 4})
	s.Emit(kernels.Add, ir.Args{"out": s.out, "a": s.y, "b": s.y}, ir.Dims{"N": 8})
	s.Emit(kernels.LinearDW, ir.Args{"dw": s.dw, "x": s.x, "dy": s.out, "step": s.step}, ir.Dims{"N": 2, "I": 3, "O": 4, "mode": kernels.ByStep})
	s.Emit(kernels.LinearDW, ir.Args{"dw": s.dw, "x": s.x, "dy": s.y, "step": s.step}, ir.Dims{"N": 2, "I": 3, "O": 4, "mode": kernels.Accumulate})
	norm := s.Value(ir.Value{Name: ir.GradNorm, Kind: ir.Output})
	loss := s.Value(ir.Value{Name: ir.Loss, Kind: ir.Input})
	m := s.Value(ir.Value{Name: ir.FlatMoment1, Kind: ir.State, Shape: []int{64}})
	v := s.Value(ir.Value{Name: ir.FlatMoment2, Kind: ir.State, Shape: []int{64}})
	g := s.Value(ir.Value{Name: ir.FlatGrads, Kind: ir.Grad, Shape: []int{64}})
	s.Emit(kernels.GradNorm, ir.Args{"norm": norm, "grads": g}, ir.Dims{"N": 64})
	s.Emit(kernels.AdamW, ir.Args{"weights": s.flat, "m": m, "v": v, "grads": g, "norm": norm, "loss": loss, "step": s.step},
		ir.Dims{"N": 16}, 0.9, 0.95, 1e-8, 0.1, 1)
	s.View(ir.Views{"weights": 48, "m": 16, "v": 16, "grads": 16})
}

func (s sample) program(t *testing.T) ir.Program {
	t.Helper()
	p, err := s.Program()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func valid(t *testing.T) (sample, ir.Program) {
	t.Helper()
	s := newSample()
	s.fill()
	p := s.program(t)
	if err := ir.Verify(p); err != nil {
		t.Fatalf("the sample is not valid: %v", err)
	}
	return s, p
}

func TestText(t *testing.T) {
	_, p := valid(t)
	path := filepath.Join("testdata", "sample.txt")
	if *update {
		if err := os.WriteFile(path, []byte(p.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if p.String() != string(want) {
		t.Errorf("%s holds\n%s\ngot (go test ./engine/ir -update writes it anew)\n%s", path, want, p)
	}
}

// violations plant one mistake each into the valid list; the error must have the words.
var violations = []struct {
	name  string
	plant func(s sample, p *ir.Program)
	want  []string
}{
	{"a kernel that does not exist", func(s sample, p *ir.Program) { p.Instrs[0].Kernel = kernels.Count },
		[]string{"instruction 0", kernels.Count.String(), "not in the table"}},
	{"a missing argument", func(s sample, p *ir.Program) { p.Instrs[0].Bind("w", ir.None) },
		[]string{"instruction 0", "w is absent", "not optional"}},
	{"an argument beyond the values", func(s sample, p *ir.Program) { p.Instrs[0].Bind("w", 99) },
		[]string{"instruction 0", "w is value 99 of 12"}},
	{"a negative argument", func(s sample, p *ir.Program) { p.Instrs[0].Bind("w", -7) },
		[]string{"instruction 0", "w is value -7 of 12"}},
	{"a value too small", func(s sample, p *ir.Program) { p.Values[s.w].Shape = []int{3, 3} },
		[]string{"instruction 0", "w has shape I*O, 12 elements", "w has 9"}},
	{"a negative dim", func(s sample, p *ir.Program) { p.Instrs[0].Dims[0] = -1 },
		[]string{"instruction 0", "N is -1"}},
	{"a view beyond the value", func(s sample, p *ir.Program) { p.Instrs[5].Views[0] = 49 },
		[]string{"instruction 5", "weights", "16 elements", "15 from element 49"}},
	{"a view before the value", func(s sample, p *ir.Program) { p.Instrs[5].Views[0] = -1 },
		[]string{"instruction 5", "weights", "from element -1"}},
	{"another element type", func(s sample, p *ir.Program) { p.Values[s.x].DType = kernels.I32 },
		[]string{"instruction 0", "x wants fp32", "x is int32"}},
	{"a precision that the values lack", func(s sample, p *ir.Program) { p.Instrs[0].Precision = kernels.BF16 },
		[]string{"instruction 0", "wants bf16"}},
	{"a precision that is none", func(s sample, p *ir.Program) { p.Instrs[4].Precision = kernels.I32 },
		[]string{"instruction 4", "precision is int32", "fp32, bf16 or fp16"}},
	{"a mode that is none", func(s sample, p *ir.Program) {
		if err := p.Instrs[2].SetMode("dw", 3); err != nil {
			panic(err)
		}
	}, []string{"instruction 2", "dw", "mode 3"}},
	{"a temporary read before it is written", func(s sample, p *ir.Program) { p.Instrs[0], p.Instrs[1] = p.Instrs[1], p.Instrs[0] },
		[]string{"instruction 0", "reads %3 before anything writes it"}},
	{"a temporary added to before it is written", func(s sample, p *ir.Program) {
		p.Instrs[3].Bind("dw", ir.ID(len(p.Values)))
		p.Values = append(p.Values, ir.Value{Shape: []int{3, 4}})
	}, []string{"instruction 3", "dw reads %12 before anything writes it"}},
	{"an instruction for nothing", func(s sample, p *ir.Program) {
		p.Instrs[1].Bind("a", s.dw)
		p.Instrs[1].Bind("b", s.dw)
		p.Instrs = append(p.Instrs[:3], p.Instrs[4:]...)
	}, []string{"instruction 0", "nothing that it writes", "dead-code"}},
	{"an optional result that nobody reads", func(s sample, p *ir.Program) {
		p.Instrs[0].Bind("pre", ir.ID(len(p.Values)))
		p.Values = append(p.Values, ir.Value{Shape: []int{2, 4}})
	}, []string{"instruction 0", "%12 is written and never read", "dead-code"}},
	{"an output nobody writes", func(s sample, p *ir.Program) { p.Instrs = p.Instrs[:1] },
		[]string{"output out is never written"}},
	{"a gradient nobody writes", func(s sample, p *ir.Program) {
		p.Values = append(p.Values, ir.Value{Name: "grad.v", Kind: ir.Grad, Shape: []int{3}})
	}, []string{"gradient grad.v is never written"}},
	{"a written input", func(s sample, p *ir.Program) { p.Values[s.y].Kind, p.Values[s.y].Name = ir.Input, "y" },
		[]string{"instruction 0", "writes the input y"}},
	{"a parameter written by another than the optimizer", func(s sample, p *ir.Program) { p.Instrs[2].Bind("dw", s.w) },
		[]string{"instruction 2", "writes the parameter w", "only the optimizer"}},
	{"one value through two arguments", func(s sample, p *ir.Program) { p.Instrs[5].Bind("m", p.Instrs[5].Arg("v")) },
		[]string{"instruction 5", "moment2. through two arguments"}},
	{"a product into its own operand", func(s sample, p *ir.Program) {
		p.Values[s.w].Shape, p.Instrs[0].Dims = []int{4, 4}, [kernels.MaxDims]int64{2, 4, 4}
		p.Instrs[0].Bind("x", s.out)
		p.Instrs[0].Bind("y", s.out)
		p.Instrs[1].Bind("a", s.out)
		p.Instrs[1].Bind("b", s.out)
		p.Instrs[1].Bind("out", s.y)
	}, []string{"instruction 0", "reads out as x", "writes it as y"}},
}

func TestVerifyFindsPlantedViolations(t *testing.T) {
	for _, v := range violations {
		s, p := valid(t)
		v.plant(s, &p)
		err := ir.Verify(p)
		if err == nil {
			t.Errorf("%s: passed", v.name)
			continue
		}
		for _, w := range v.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v; want it to say %q", v.name, err, w)
			}
		}
	}
}

// TestVerifyAllowsAResultThatCannotBeLeftOut: dx of a norm whose parameters alone are trained.
func TestVerifyAllowsAResultThatCannotBeLeftOut(t *testing.T) {
	b := ir.NewBuilder()
	x := b.Value(ir.Value{Name: "x", Kind: ir.Input, Shape: []int{2, 3}})
	row := b.Value(ir.Value{Name: "row", Kind: ir.Input, Shape: []int{3}})
	step := b.Value(ir.Value{Name: ir.StepInput, Kind: ir.Input, Shape: []int{kernels.StepSize}})
	dg := b.Value(ir.Value{Name: "grad.g", Kind: ir.Grad, Shape: []int{3}})
	b.Emit(kernels.LayerNormBackward, ir.Args{"dx": b.Temp(2, 3), "dg": dg, "dy": x, "x": x, "g": row, "mean": row, "rstd": row, "step": step},
		ir.Dims{"N": 2, "C": 3})
	p, err := b.Program()
	if err != nil {
		t.Fatal(err)
	}
	if err := ir.Verify(p); err != nil {
		t.Error(err)
	}
}

func TestBuilderKeepsTheFirstMistake(t *testing.T) {
	for _, c := range []struct {
		name  string
		build func(s sample)
		want  string
	}{
		{"argument", func(s sample) { s.Emit(kernels.Add, ir.Args{"absent": s.x}, nil) }, `add has no argument "absent"`},
		{"dim", func(s sample) { s.Emit(kernels.Add, nil, ir.Dims{"Q": 1}) }, `add has no dim "Q"`},
		{"scalars", func(s sample) { s.Emit(kernels.Dropout, nil, nil) }, "dropout: 0 scalars, want 1"},
		{"view", func(s sample) { s.View(ir.Views{"absent": 1}) }, `adamw has no argument "absent"`},
	} {
		s := newSample()
		s.fill()
		c.build(s)
		s.Emit(kernels.Pool, ir.Args{"second": s.x}, nil)
		if _, err := s.Program(); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
}

func TestBuilderRemembers(t *testing.T) {
	s, _ := valid(t)
	if s.Made(s.y) != 0 || s.Maker(s.y).Kernel != kernels.Linear || s.Made(s.dw) != 2 || s.Made(s.x) != -1 || s.Maker(s.x) != nil {
		t.Error("makers are not the first instructions that wrote the values")
	}
	s.Remember(s.y, "dx", s.w)
	if s.Recall(s.y, "dx") != s.w || s.Recall(s.y, "dw") != ir.None || s.Recall(s.x, "dx") != ir.None {
		t.Error("what was remembered is not what is recalled")
	}
	a, b := s.Named(ir.Value{Name: "n", Shape: []int{2}}), s.Named(ir.Value{Name: "n", Shape: []int{2}})
	if a != b || !slices.Equal(s.Shape(a), []int{2}) {
		t.Errorf("values %d and %d of one name, want one", a, b)
	}
}

// TestAppend: values of one name become one, temporaries of the second list stay its own, and both arguments stay as
// they are.
func TestAppend(t *testing.T) {
	_, p := valid(t)
	b := ir.NewBuilder()
	x := b.Value(ir.Value{Name: "x", Kind: ir.Input, Shape: []int{2, 3}})
	temp := b.Temp(6)
	last := b.Value(ir.Value{Name: "last", Kind: ir.Output, Shape: []int{6}})
	b.Emit(kernels.Add, ir.Args{"out": temp, "a": x, "b": x}, ir.Dims{"N": 6})
	b.Emit(kernels.Add, ir.Args{"out": last, "a": temp, "b": x}, ir.Dims{"N": 6})
	q, err := b.Program()
	if err != nil {
		t.Fatal(err)
	}
	before, beforeQ := p.String(), q.String()
	all := ir.Append(p, q)
	if err := ir.Verify(all); err != nil {
		t.Fatal(err)
	}
	if p.String() != before || q.String() != beforeQ {
		t.Error("Append changed its arguments")
	}
	want := before + "   6  %12:fp32[6] = add.fp32(a=x, b=x) {N=6}\n   7  last:fp32[6] = add.fp32(a=%12, b=x) {N=6}\n"
	if all.String() != want {
		t.Errorf("got\n%s\nwant\n%s", all, want)
	}
}

// TestCloneIsApart: a pass that changes its copy must not reach its argument.
func TestCloneIsApart(t *testing.T) {
	_, p := valid(t)
	before := p.String()
	c := p.Clone()
	c.Values[0].Name, c.Instrs[0].Precision = "other", kernels.BF16
	c.Instrs = append(c.Instrs[:2], c.Instrs[3:]...)
	if p.String() != before {
		t.Errorf("the argument became\n%s", p)
	}
}
