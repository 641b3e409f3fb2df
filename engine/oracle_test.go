package engine_test

import (
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"atoll/engine"
	"atoll/engine/ir"
	"atoll/kernels"
	"atoll/kernels/cpu"
	"atoll/kernels/ref"
	"atoll/model/gpt2"
)

// TestGorgoniaIsTheOracle runs each graph op by op on gorgonia's own machine and holds the compiled program against it,
// the loss and every gradient. The tied embedding's gradient is the sum of two.
func TestGorgoniaIsTheOracle(t *testing.T) {
	for _, kind := range kinds {
		for _, dropout := range []float32{0, 0.25} {
			f := newFixture(kind, dropout)
			loss, grads := onGorgonia(t, f)
			t.Run(kind, func(t *testing.T) {
				for _, d := range []struct {
					device    kernels.Device
					tolerance float64
				}{{ref.New(), 1e-6}, {newCPU(t, cpu.Options{Threads: 2}), 1e-5}} {
					s := newStore(t, d.device, f.config)
					p := f.compile(t, s, engine.Options{})
					f.feed(p, s)
					run(t, p)
					near(t, d.device.Name()+" loss", []float32{s.Loss()}, []float32{loss}, d.tolerance)
					for name, got := range gradients(t, s, f.config) {
						near(t, d.device.Name()+" gradient of "+name, got, grads[name], d.tolerance)
					}
				}
			})
		}
	}
}

// onGorgonia gives the loss and the gradients as gorgonia's tape machine computes them.
func onGorgonia(t *testing.T, f fixture) (float32, map[string][]float32) {
	t.Helper()
	g, err := gpt2.Build(f.config, f.spec)
	if err != nil {
		t.Fatal(err)
	}
	let := func(n *gorgonia.Node, backing any) {
		if err := gorgonia.Let(n, tensor.New(tensor.WithShape(n.Shape()...), tensor.WithBacking(backing))); err != nil {
			t.Fatalf("%v: %v", n, err)
		}
	}
	for _, p := range f.config.Params() {
		let(g.Params[p.Name], weightsOf(p))
	}
	for name, values := range f.ints {
		let(g.Inputs[name], values)
	}
	for name, values := range f.floats {
		let(g.Inputs[name], values)
	}
	step := make([]float32, kernels.StepSize)
	step[kernels.StepLossScale] = f.scale
	let(g.Inputs[ir.StepInput], step)
	if n, ok := g.Inputs[ir.SeedInput]; ok {
		let(n, seed)
	}
	var loss gorgonia.Value
	gorgonia.Read(g.Loss, &loss)
	values := make([]gorgonia.Value, len(f.spec.Train))
	for i, name := range f.spec.Train {
		gorgonia.Read(g.Grads[name], &values[i])
	}
	machine := gorgonia.NewTapeMachine(g.Expr)
	defer machine.Close()
	if err := machine.RunAll(); err != nil {
		t.Fatal(err)
	}
	grads := map[string][]float32{}
	for i, name := range f.spec.Train {
		grads[name] = values[i].Data().([]float32)
	}
	return loss.Data().(float32), grads
}
