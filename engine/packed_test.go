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

// scores are the logits of a classifier's program without a loss.
func (f fixture) scores(t *testing.T, s *engine.Store, o engine.Options) ([]float32, *engine.Program) {
	t.Helper()
	g, err := gpt2.Build(f.config, gpt2.Spec{Batch: batch, Sequence: sequence})
	p := compile(t, g, err, s, o)
	f.feed(p, s)
	run(t, p)
	return slices.Clone(p.Floats(gpt2.Logits)), p
}

// Packed weights give the bits of the weights themselves in fp32 and bf16, and nearly their numbers in int8, on every device that packs
// and over memory that is lent, too.
func TestPackedProgramsGiveTheSame(t *testing.T) {
	f := newFixture("classify", 0)
	for _, d := range []kernels.Device{ref.New(), newCPU(t, cpu.Options{Threads: 2})} {
		for _, precision := range []kernels.DType{kernels.F32, kernels.BF16} {
			s := newStore(t, d, f.config)
			want, _ := f.scores(t, s, engine.Options{Precision: precision})
			got, p := f.scores(t, s, engine.Options{Precision: precision, Packing: lower.PackAlike})
			if !slices.Equal(got, want) {
				t.Errorf("%s: the logits are %v packed, %v unpacked in %v", d.Name(), got, want, precision)
			}
			if n := strings.Count(p.List.String(), "linear.packed"); n != 4*f.config.Layers+1 {
				t.Errorf("%s: %d packed products, want all %d", d.Name(), n, 4*f.config.Layers+1)
			}
			whole, _ := f.scores(t, s, engine.Options{Precision: precision, Packing: lower.PackInt8})
			near(t, d.Name()+" int8", whole, want, 0.05)
		}
	}
}

func TestPackedOverLentMemory(t *testing.T) {
	f := newFixture("classify", 0)
	d := newCPU(t, cpu.Options{Threads: 1})
	s := newStore(t, d, f.config)
	want, _ := f.scores(t, s, engine.Options{})
	elements, _ := s.Elements()
	memory := make([]float32, elements)
	first := map[string]int64{}
	for _, slot := range s.Slots {
		first[slot.Name] = slot.First
		if err := s.Read(engine.Weights, slot.Name, memory[slot.First:][:slot.Len()]); err != nil {
			t.Fatal(err)
		}
	}
	lent, err := engine.NewStoreOver(d, f.config.Params(), kernels.BytesOf(memory), func(name string) int64 { return first[name] })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(lent.Free)
	if got, _ := f.scores(t, lent, engine.Options{Packing: lower.PackAlike}); !slices.Equal(got, want) {
		t.Errorf("the logits are %v over lent memory, want %v", got, want)
	}
}

// Programs of a store share one copy, which is counted.
func TestPackedCopiesAreShared(t *testing.T) {
	f := newFixture("lm", 0)
	s := newStore(t, newCPU(t, cpu.Options{Threads: 1}), f.config)
	before := s.Bytes()
	decoder := func(tokens int, o engine.Options) *engine.Program {
		t.Helper()
		g, err := gpt2.BuildDecoder(f.config, 1, tokens)
		return compile(t, g, err, s, o)
	}
	p := decoder(1, engine.Options{Packing: lower.PackAlike})
	need := s.Need(p.List)
	one := s.Bytes() - before
	if need.Packed != one || need.Packed == 0 || need.Total() < before+one {
		t.Errorf("the store needs %d bytes for packed weights and took %d", need.Packed, one)
	}
	decoder(3, engine.Options{Packing: lower.PackAlike})
	if got := s.Bytes() - before; got != one {
		t.Errorf("a second program takes the packed weights from %d to %d bytes, want them shared", one, got)
	}
	// The head multiplies with the embedding, which training in bf16 rounds: its copy is in bf16 though its activations are wide.
	head := decoder(1, engine.Options{Precision: kernels.BF16, Packing: lower.PackAlike}).List
	last := head.Instrs[len(head.Instrs)-1]
	if name := head.Values[last.Arg("packed")].Name; name != ir.PackedName("transformer.wte.weight", kernels.PackedBF16, true) || last.Precision != kernels.F32 {
		t.Errorf("the head reads %s in %v", name, last.Precision)
	}
	if got := s.Bytes() - before; got <= one || got >= 2*one {
		t.Errorf("copies in fp32 take %d bytes, with those in bf16 %d", one, got)
	}
}

func TestTrainedWeightsAreNotPacked(t *testing.T) {
	g, err := gpt2.Build(newFixture("lm", 0).config, gpt2.Spec{Batch: 1, Sequence: 2, Loss: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := engine.Lower(g, engine.Options{Packing: lower.PackAlike, Update: &ir.Program{}}); err == nil || !strings.Contains(err.Error(), "cannot be packed") {
		t.Errorf("got error %v, want one on weights that are trained", err)
	}
}
