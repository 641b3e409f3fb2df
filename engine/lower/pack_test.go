package lower_test

import (
	"strings"
	"testing"

	"atoll/engine/ir"
	"atoll/engine/lower"
	"atoll/kernels"
)

// packable is a product, another of the same weight with all arguments, and one that keeps what goes into its GELU.
func packable(t *testing.T, pre bool) ir.Program {
	t.Helper()
	l := newList(t)
	first := l.linear(l.Temp(4, 6), l.x)
	args := ir.Args{"y": l.output(), "x": first, "w": l.w, "b": l.b, "res": l.x}
	if pre {
		args["pre"] = l.Value(ir.Value{Name: "pre", Kind: ir.Output, Shape: []int{4, 6}})
	}
	l.Emit(kernels.Linear, args, ir.Dims{"N": 4, "I": 6, "O": 6, "gelu": 1})
	p, err := l.Program()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPack(t *testing.T) {
	for _, c := range []struct {
		how   lower.Packing
		dtype kernels.DType
		want  []string
	}{
		{lower.PackAlike, kernels.F32, []string{"linear.packed.fp32(x=x, packed=w.packed.fp32) {N=4 I=6 O=6 gelu=0 format=0 S=192 stream=0}",
			"out:fp32[4,6] = linear.packed.fp32(x=%3, packed=w.packed.fp32, b=b, res=x) {N=4 I=6 O=6 gelu=1 format=0 S=192 stream=0}"}},
		{lower.PackInt8, kernels.F32, []string{"packed=w.packed.int8) {N=4 I=6 O=6 gelu=0 format=2 S=96 stream=0}"}},
	} {
		p := packable(t, false)
		before := p.String()
		packed := lower.Pack(p, c.how, c.dtype)
		if err := ir.Verify(packed); err != nil {
			t.Error(err)
		}
		for _, want := range c.want {
			if !strings.Contains(packed.String(), want) {
				t.Errorf("%s lacks %s", packed, want)
			}
		}
		if len(packed.Once) != 1 || packed.Once[0].Kernel != kernels.Pack {
			t.Errorf("%d instructions run once, want one for a weight that is read twice", len(packed.Once))
		}
		if p.String() != before || len(p.Once) != 0 {
			t.Error("the pass changed its argument")
		}
	}
	if p := lower.Pack(packable(t, true), lower.PackAlike, kernels.F32); strings.Count(p.String(), "linear.packed") != 1 {
		t.Errorf("a product that keeps what goes into its GELU was packed, or the other was not:\n%s", p)
	}
}

// A list with caches reads a stream, whose products may sum few rows in another order than many.
func TestPackOfAStream(t *testing.T) {
	l := newList(t)
	cache := func(name string) ir.ID { return l.Value(ir.Value{Name: name, Kind: ir.State, Shape: []int{1, 9, 6}}) }
	qkv := l.Value(ir.Value{Name: "qkv", Kind: ir.Input, Shape: []int{1, 4, 18}})
	start := l.Value(ir.Value{Name: "start", Kind: ir.Input, DType: kernels.I32, Shape: []int{1}})
	attended := l.Temp(4, 6)
	l.Emit(kernels.AttentionCached, ir.Args{"out": attended, "qkv": qkv, "keys": cache("keys"), "values": cache("values"), "start": start},
		ir.Dims{"B": 1, "T": 4, "C": 6, "H": 2, "P": 9})
	l.linear(l.output(), attended)
	text := l.passed(func(p ir.Program) ir.Program { return lower.Pack(p, lower.PackAlike, kernels.F32) })
	if !strings.Contains(text, "format=0 S=192 stream=1}") {
		t.Errorf("no product of a stream in\n%s", text)
	}
}

// What runs once makes packed weights of parameters, and only that; nothing else writes them.
func TestPackedListsAreVerified(t *testing.T) {
	for name, c := range map[string]struct {
		plant func(p *ir.Program)
		want  string
	}{
		"nothing makes the copy":     {func(p *ir.Program) { p.Once = nil }, "reads w.packed.fp32 before anything writes it"},
		"a copy of what may change":  {func(p *ir.Program) { p.Values[p.Once[0].Arg("w")].Kind = ir.State }, "want pack, and a packed weight of a parameter"},
		"another kernel runs once":   {func(p *ir.Program) { p.Once[0] = p.Instrs[0] }, "of those that run once"},
		"a product writes a copy":    {func(p *ir.Program) { p.Values[p.Instrs[1].Arg("y")].Kind = ir.Packed }, "only pack may"},
		"words that are not as many": {func(p *ir.Program) { p.Values[p.Once[0].Arg("packed")].Shape = []int{191} }, "192 elements"},
	} {
		p := lower.Pack(packable(t, false), lower.PackAlike, kernels.F32)
		c.plant(&p)
		if err := ir.Verify(p); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %q", name, err, c.want)
		}
	}
}
