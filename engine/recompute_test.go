package engine_test

import (
	"slices"
	"testing"

	"atoll/engine"
	"atoll/engine/lower"
	"atoll/engine/plan"
	"atoll/kernels"
	"atoll/kernels/cpu"
	"atoll/kernels/ref"
	"atoll/model"
	"atoll/model/gpt2"
)

// TestRecomputingChangesNoBit trains five steps with dropout, keeping everything and computing it again, on both devices and
// in each precision.
func TestRecomputingChangesNoBit(t *testing.T) {
	for _, kind := range kinds {
		for _, d := range []kernels.Device{ref.New(), newCPU(t, cpu.Options{Threads: 2})} {
			for _, precision := range []kernels.DType{kernels.F32, kernels.BF16, kernels.F16} {
				f := newFixture(kind, 0.2)
				wantLosses, want := trainedOn(t, d, f, engine.Options{Precision: precision})
				for _, how := range []lower.Recomputation{lower.RecomputeGELU, lower.RecomputeBlock} {
					losses, got := trainedOn(t, d, f, engine.Options{Precision: precision, Recompute: how})
					if !slices.Equal(losses, wantLosses) {
						t.Errorf("%s in %v on %s, %v: losses %v, without recomputation %v", kind, precision, d.Name(), how, losses, wantLosses)
					}
					for name := range want {
						if !slices.Equal(got[name], want[name]) {
							t.Errorf("%s in %v on %s, %v: %s differs from that without recomputation", kind, precision, d.Name(), how, name)
						}
					}
				}
			}
		}
	}
}

// TestRecomputingSavesMemory counts the bytes of GPT-2 124M's activations at 4 rows of 256 tokens. In units of N*C fp32 values
// (3 MiB), a block keeps 16: both norms, qkv (3), attention's output, the sum after it, what goes into the GELU and its output (4
// each), and the block's output; 10 without the GELU's output and those of the norms, and 1 where the rest is computed again. Statistics of norms and
// attention are less than a unit.
func TestRecomputingSavesMemory(t *testing.T) {
	c, err := model.Named("gpt2")
	if err != nil {
		t.Fatal(err)
	}
	spec := gpt2.Spec{Batch: 4, Sequence: 256, Loss: true, Train: names(c)}
	const unit, logits = 4 * 256 * 768 * 4, 256 * 50304 * 4
	for _, w := range []struct {
		how         lower.Recomputation
		least, want int64
	}{
		{lower.RecomputeNone, (12*16+3)*unit + logits, 665722880}, // the first block's input, the final norm and its gradient, a chunk of logits
		{lower.RecomputeGELU, (12*10+3)*unit + logits, 439230464},
		{lower.RecomputeAuto, (12*10+3)*unit + logits, 439230464},
		{lower.RecomputeBlock, (12 + 1 + 15 + 4) * unit, 101842944}, // inputs, the gradient of one output, that block's values, the gradient of its GELU
	} {
		graph, err := gpt2.Build(c, spec)
		if err != nil {
			t.Fatal(err)
		}
		list, err := engine.Lower(graph, engine.Options{Recompute: w.how})
		if err != nil {
			t.Fatal(err)
		}
		if got := plan.Temporaries(list).Bytes; got != w.want || got < w.least || got > w.least+unit {
			t.Errorf("%v takes %d bytes, want %d, and between %d and a unit more", w.how, got, w.want, w.least)
		}
	}
}

// TestAutoRecomputesOnTheHost: where GELUs' outputs are large, and the memory is not the device's own; a small list keeps them.
func TestAutoRecomputesOnTheHost(t *testing.T) {
	host := newCPU(t, cpu.Options{Threads: 1})
	if how := engine.RecomputationOf(host, lower.RecomputeAuto); how != lower.RecomputeAuto {
		t.Errorf("auto is %v on %s, want auto, which the list settles", how, host.Name())
	}
	if how := engine.RecomputationOf(apart{host}, lower.RecomputeAuto); how != lower.RecomputeNone {
		t.Errorf("auto is %v on a device with memory of its own, want none", how)
	}
	f := oneLayer("lm", 0)
	if auto := f.text(t, engine.Options{Recompute: lower.RecomputeAuto}); auto != f.text(t, engine.Options{}) {
		t.Errorf("auto computes again in a small list:\n%s", auto)
	}
}

// apart hides that a device works on the host's memory.
type apart struct{ kernels.Device }
