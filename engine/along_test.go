package engine_test

import (
	"slices"
	"strings"
	"testing"

	"atoll/engine"
	"atoll/engine/ir"
	"atoll/engine/lower"
	"atoll/kernels"
	"atoll/kernels/cpu"
	"atoll/kernels/ref"
	"atoll/model/gpt2"
)

// evenFixture has weights of whole blocks, which the update lays out in the place of their gradients; dropout is off.
func evenFixture(kind string) fixture {
	f := newFixture(kind, 0)
	f.config.Width, f.config.Heads, f.config.Inner = 32, 2, 96
	return f
}

// trainer compiles f in bf16 with the update behind it, which lays out the weights of this many layers, on any device.
func (f fixture) trainer(t *testing.T, s *engine.Store, layers int) *engine.Program {
	t.Helper()
	g, err := gpt2.Build(f.config, f.spec)
	if err != nil {
		t.Fatal(err)
	}
	elements, gradElements := s.Elements()
	update, err := adamW.Update(s.Ranges(), elements, gradElements)
	if err != nil {
		t.Fatal(err)
	}
	list, err := engine.Lower(g, engine.Options{Precision: kernels.BF16})
	if err != nil {
		t.Fatal(err)
	}
	spans := engine.SpansOf(newCPU(t, cpu.Options{Threads: 1}), s)
	list = lower.NormAlong(ir.Append(list, update), spans)
	list = lower.PackAlong(list, slices.DeleteFunc(spans, func(s ir.Span) bool {
		return layers == 0 || layers == 1 && strings.Contains(s.Name, ".h.1.")
	}))
	if n := strings.Count(list.String(), "adamw.packed"); n != 4*layers {
		t.Fatalf("%d updates lay weights out, want %d", n, 4*layers)
	}
	p, err := engine.CompileList(list, s, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Free)
	return p
}

// step runs one step of training and gives its loss.
func (f fixture) step(t *testing.T, p *engine.Program, s *engine.Store, number int) float32 {
	t.Helper()
	f.feed(p, s)
	adamW.Fill(s.Step(), 1e-2, number)
	run(t, p)
	return s.Loss()
}

// Weights that the update lays out give the bits of those that products pack, whatever happens to the model between steps: another batch
// shape, an evaluation, gradients without an update, a weight that is written, a weight that is written through a view, a loss that is no number.
func TestLaidOutByTheUpdate(t *testing.T) {
	for _, kind := range []string{"lm", "classify"} {
		for _, d := range []kernels.Device{ref.New(), newCPU(t, cpu.Options{Threads: 2})} {
			f := evenFixture(kind)
			var losses [2][]float32
			var weights [2]map[string][]float32
			for n, layers := range [][2]int{{0, 0}, {2, 1}} {
				losses[n], weights[n] = f.eventful(t, newStore(t, d, f.config), layers)
			}
			if !slices.Equal(losses[0], losses[1]) {
				t.Errorf("%s on %s: losses %v where the update lays weights out, %v where products pack them", kind, d.Name(), losses[1], losses[0])
			}
			for name, want := range weights[0] {
				if !slices.Equal(weights[1][name], want) {
					t.Errorf("%s on %s: %s differs", kind, d.Name(), name)
				}
			}
		}
	}
}

// eventful trains, with everything between the steps that may happen there. layers are those that the update lays out in the program and in the one
// of another shape.
func (f fixture) eventful(t *testing.T, s *engine.Store, layers [2]int) (losses []float32, weights map[string][]float32) {
	t.Helper()
	const name = "transformer.h.0.attn.c_attn.weight"
	p, part := f.trainer(t, s, layers[0]), f.rows(1, 3)
	small := part.trainer(t, s, layers[1])
	alone := f.compile(t, s, engine.Options{Precision: kernels.BF16})
	scoring := f
	scoring.spec.Train = nil
	score := scoring.compile(t, s, engine.Options{Precision: kernels.BF16})
	between := []func(){
		func() {},
		func() { losses = append(losses, part.step(t, small, s, 2)) },
		func() { f.feed(score, s); run(t, score); losses = append(losses, s.Loss()) },
		func() { f.feed(alone, s); run(t, alone) },
		func() { must(t, s.Write(engine.Weights, name, make([]float32, 32*96))) },
		func() {
			if view := s.View(engine.Weights, name); view != nil {
				view[5] = 3
			}
		},
		func() {
			f.feed(p, s)
			s.Step()[kernels.StepLossScale] = float32(1e38)
			adamW.Fill(s.Step(), 1e-2, 3)
			run(t, p)
		},
	}
	for n, event := range between {
		losses = append(losses, f.step(t, p, s, n))
		event()
		losses = append(losses, f.step(t, p, s, n+1))
	}
	return losses, tensors(t, s, engine.Weights, f.config)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// What lies in a gradient's place is not read for a gradient, and memory is the same.
func TestGradientsOfLaidOutWeightsAreGone(t *testing.T) {
	f := evenFixture("lm")
	s := newStore(t, newCPU(t, cpu.Options{Threads: 1}), f.config)
	p := f.trainer(t, s, 2)
	if need := s.Need(p.List); need.Packed != 0 {
		t.Errorf("weights that lie in the place of gradients are counted with %d bytes", need.Packed)
	}
	f.step(t, p, s, 0)
	read := func(name string) error {
		return s.Read(engine.Grads, name, make([]float32, s.Slots[slices.IndexFunc(s.Slots, func(s engine.Slot) bool { return s.Name == name })].Len()))
	}
	if err := read("transformer.h.1.mlp.c_fc.weight"); err == nil || !strings.Contains(err.Error(), "the gradient of transformer.h.1.mlp.c_fc.weight is gone") {
		t.Errorf("the gradient of a weight that was laid out is read with error %v", err)
	}
	must(t, read("transformer.h.1.mlp.c_fc.bias"))
	alone := f.compile(t, s, engine.Options{Precision: kernels.BF16})
	f.feed(alone, s)
	run(t, alone)
	must(t, read("transformer.h.1.mlp.c_fc.weight"))
}

// A gradient's first part ends what lies in its place: no list may read it after that.
func TestReadAfterTheGradientIsRefused(t *testing.T) {
	f := evenFixture("lm")
	p := f.trainer(t, newStore(t, newCPU(t, cpu.Options{Threads: 1}), f.config), 2).List.Clone()
	dx := slices.IndexFunc(p.Instrs, func(i ir.Instr) bool { return i.Kernel == kernels.LinearDXPacked })
	p.Instrs[dx], p.Instrs[dx+1] = p.Instrs[dx+1], p.Instrs[dx]
	if err := ir.Verify(p); err == nil || !strings.Contains(err.Error(), "reads twice.transformer.h.1.mlp.c_proj.weight before anything writes it") {
		t.Errorf("got error %v", err)
	}
	p = f.trainer(t, newStore(t, newCPU(t, cpu.Options{Threads: 1}), f.config), 2).List.Clone()
	p.Values[p.Instrs[2].Arg("y")].Kind = ir.InGrad
	if err := ir.Verify(p); err == nil || !strings.Contains(err.Error(), "only pack and adamw.packed may") {
		t.Errorf("got error %v for a product that writes there", err)
	}
}
