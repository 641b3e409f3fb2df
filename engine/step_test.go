package engine_test

import (
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"atoll/engine"
	"atoll/engine/ir"
	"atoll/kernels"
	"atoll/kernels/cpu"
	"atoll/kernels/ref"
	"atoll/model/gpt2"
	"atoll/trainer/optim"
)

var adamW = optim.AdamW{Beta1: 0.9, Beta2: 0.95, Epsilon: 1e-8, Decay: 0.1, Clip: 1}

// training compiles f with the update behind it.
func (f fixture) training(t *testing.T, s *engine.Store, o engine.Options) *engine.Program {
	t.Helper()
	elements, gradElements := s.Elements()
	update, err := adamW.Update(s.Ranges(), elements, gradElements)
	if err != nil {
		t.Fatal(err)
	}
	o.Update = &update
	return f.compile(t, s, o)
}

func TestStepAllocatesNothing(t *testing.T) {
	d := newCPU(t, cpu.Options{Threads: 2})
	for _, kind := range kinds {
		for _, precision := range []kernels.DType{kernels.F32, kernels.BF16} {
			f := newFixture(kind, 0.1)
			s := newStore(t, d, f.config)
			p := f.training(t, s, engine.Options{Precision: precision})
			f.feed(p, s)
			var err error
			allocations := testing.AllocsPerRun(20, func() {
				adamW.Fill(s.Step(), 1e-3, 0)
				copy(s.Seed(), seed)
				err = p.Run()
				_, _ = s.Loss(), s.GradNorm()
			})
			if err != nil || allocations != 0 {
				t.Errorf("%s in %v: %g allocations a step, %v; want none", kind, precision, allocations, err)
			}
		}
	}
}

// TestSameBitsForAnyThreads trains five steps with dropout on one and on two threads.
func TestSameBitsForAnyThreads(t *testing.T) {
	for _, kind := range kinds {
		for _, precision := range []kernels.DType{kernels.F32, kernels.BF16} {
			f := newFixture(kind, 0.2)
			wantLosses, want := trainedOn(t, newCPU(t, cpu.Options{Threads: 1}), f, engine.Options{Precision: precision})
			losses, got := trainedOn(t, newCPU(t, cpu.Options{Threads: 2}), f, engine.Options{Precision: precision})
			if !slices.Equal(losses, wantLosses) || losses[4] == losses[0] {
				t.Errorf("%s in %v: losses %v on two threads, %v on one", kind, precision, losses, wantLosses)
			}
			for name := range want {
				if !slices.Equal(got[name], want[name]) {
					t.Errorf("%s in %v: %s differs between one thread and two", kind, precision, name)
				}
			}
		}
	}
}

func trainedOn(t *testing.T, d kernels.Device, f fixture, o engine.Options) ([]float32, map[string][]float32) {
	t.Helper()
	s := newStore(t, d, f.config)
	p := f.training(t, s, o)
	var losses []float32
	for step := range 5 {
		f.feed(p, s)
		s.Seed()[0] = int32(step)
		adamW.Fill(s.Step(), 1e-2, step)
		run(t, p)
		losses = append(losses, s.Loss())
	}
	return losses, tensors(t, s, engine.Weights, f.config)
}

// TestNormIsThatOfTheGradients: a CPU's products of weights give their own norms, and the whole is that of what the gradients hold.
func TestNormIsThatOfTheGradients(t *testing.T) {
	for _, kind := range kinds {
		f := newFixture(kind, 0)
		s := newStore(t, newCPU(t, cpu.Options{Threads: 2}), f.config)
		p := f.training(t, s, engine.Options{})
		if n := strings.Count(p.List.String(), "linear.dw.norm"); n < 4*f.config.Layers {
			t.Errorf("%s: %d products give norms, want 4 a layer or more", kind, n)
		}
		if list := p.List.String(); !strings.Contains(list, "embed.backward.norm") || strings.Contains(list, "head.loss.norm") != (kind == "lm") {
			t.Errorf("%s: the gradient of the embedding is read for its norm in\n%s", kind, list)
		}
		f.feed(p, s)
		adamW.Fill(s.Step(), 1e-3, 0)
		run(t, p)
		sum := 0.0
		for _, gradient := range gradients(t, s, f.config) {
			for _, g := range gradient {
				sum += float64(g) * float64(g)
			}
		}
		near(t, kind+" norm", []float32{s.GradNorm()}, []float32{float32(math.Sqrt(sum))}, 2e-7)
	}
}

// TestAccumulationEqualsTheFullBatch splits a batch into micro-batches of one and two rows, whose counts of targets
// differ, and holds their summed loss and gradients against the batch at once.
func TestAccumulationEqualsTheFullBatch(t *testing.T) {
	for _, kind := range kinds {
		for _, d := range []kernels.Device{ref.New(), newCPU(t, cpu.Options{Threads: 2})} {
			f := newFixture(kind, 0)
			whole := newStore(t, d, f.config)
			p := f.compile(t, whole, engine.Options{})
			f.feed(p, whole)
			run(t, p)
			want := gradients(t, whole, f.config)

			parts := newStore(t, d, f.config)
			for n, rows := range [][2]int{{0, 1}, {1, 3}} {
				part := f.rows(rows[0], rows[1])
				p := part.compile(t, parts, engine.Options{})
				part.feed(p, parts)
				parts.Step()[kernels.StepAccumulate] = float32(n)
				run(t, p)
			}
			near(t, kind+" loss on "+d.Name(), []float32{parts.Loss()}, []float32{whole.Loss()}, 1e-6)
			for name, got := range gradients(t, parts, f.config) {
				near(t, kind+" gradient of "+name+" on "+d.Name(), got, want[name], 1e-6)
			}
		}
	}
}

// rows is f for some rows of its batch, its loss still divided by what the whole batch has.
func (f fixture) rows(from, to int) fixture {
	part := f
	part.spec.Batch = to - from
	part.ints, part.floats = maps.Clone(f.ints), maps.Clone(f.floats)
	for name, values := range f.ints {
		each := len(values) / batch
		part.ints[name] = values[from*each : to*each]
	}
	if labels := f.floats[gpt2.Labels]; labels != nil {
		each := len(labels) / batch
		part.floats[gpt2.Labels] = labels[from*each : to*each]
	}
	return part
}

// TestShareUsesTheMemoryOfAnother compiles a smaller program into the memory of a larger one; both must give what they
// give alone, in turns.
func TestShareUsesTheMemoryOfAnother(t *testing.T) {
	f := newFixture("lm", 0)
	small := f.rows(1, 2)
	s := newStore(t, newCPU(t, cpu.Options{Threads: 1}), f.config)
	losses := func(large, little *engine.Program) (all []float32) {
		for range 2 {
			f.feed(large, s)
			run(t, large)
			all = append(all, s.Loss())
			small.feed(little, s)
			run(t, little)
			all = append(all, s.Loss())
		}
		return all
	}
	large := f.compile(t, s, engine.Options{})
	alone := small.compile(t, s, engine.Options{})
	want := losses(large, alone)
	sharing := small.compile(t, s, engine.Options{Share: large})
	if got := losses(large, sharing); !slices.Equal(got, want) {
		t.Errorf("losses %v with shared memory, %v without", got, want)
	}
	if sharing.Bytes() >= alone.Bytes() {
		t.Errorf("a sharing program takes %d bytes, one alone %d: want fewer", sharing.Bytes(), alone.Bytes())
	}
	larger := f.compile(t, s, engine.Options{Share: alone})
	if got := losses(larger, alone); !slices.Equal(got, want) || larger.Bytes() != large.Bytes() {
		t.Errorf("losses %v and %d bytes where the other's memory is too small, want %v and %d", got, larger.Bytes(), want, large.Bytes())
	}
}

// TestStateIsSharedBetweenPrograms reads a text in one go, and in two by two programs over one pair of caches.
func TestStateIsSharedBetweenPrograms(t *testing.T) {
	f := newFixture("lm", 0)
	s := newStore(t, newCPU(t, cpu.Options{Threads: 2}), f.config)
	decoder := func(tokens int, state *engine.State) *engine.Program {
		g, err := gpt2.BuildDecoder(f.config, 1, tokens)
		if err != nil {
			t.Fatal(err)
		}
		p, err := engine.Compile(g, s, engine.Options{State: state})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Free)
		return p
	}
	read := func(p *engine.Program, tokens []int32, start int) []float32 {
		copy(p.Ints(gpt2.Tokens), tokens)
		p.Ints(gpt2.Lengths)[0], p.Ints(gpt2.Start)[0] = int32(len(tokens)), int32(start)
		run(t, p)
		return slices.Clone(p.Floats(gpt2.Logits))
	}
	text := []int32{5, 3, 9, 9, 1}
	whole := decoder(5, nil)
	want := read(whole, text, 0)
	four := decoder(4, nil)
	one := decoder(1, four.State())
	read(four, text[:4], 0)
	near(t, "logits", read(one, text[4:], 4), want, 1e-6)
}

// TestHalfPrecisionKeepsTheHeadWide holds the list in bf16 against the rule that what follows from the pooled state, and
// everything that belongs to a weight, stays fp32, and that the rest does not.
func TestHalfPrecisionKeepsTheHeadWide(t *testing.T) {
	for _, kind := range kinds {
		f := newFixture(kind, 0.1)
		g, err := gpt2.Build(f.config, f.spec)
		if err != nil {
			t.Fatal(err)
		}
		list, err := engine.Lower(g, engine.Options{Precision: kernels.BF16})
		if err != nil {
			t.Fatal(err)
		}
		narrow := 0
		pooled := false
		for _, i := range list.Instrs {
			pooled = pooled || i.Kernel == kernels.Pool
			if i.Kernel == kernels.PoolBackward {
				pooled = false
			}
			if i.Precision == kernels.BF16 && i.Kernel != kernels.Pool {
				narrow++
				if pooled {
					t.Errorf("%s: %v of the head is in bf16", kind, i.Kernel)
				}
			}
		}
		if narrow < 2*15 {
			t.Errorf("%s: %d instructions are in bf16, want the blocks'", kind, narrow)
		}
		for _, v := range list.Values {
			if v.Kind == ir.Param || v.Kind == ir.Grad {
				if v.DType != kernels.F32 {
					t.Errorf("%s: %s is %v, want weights and gradients in fp32", kind, v.Name, v.DType)
				}
			}
		}
	}
}
