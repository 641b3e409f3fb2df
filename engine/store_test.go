package engine_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"atoll/engine"
	"atoll/kernels"
	"atoll/kernels/ref"
	"atoll/model"
	"atoll/model/gpt2"
)

var twoParams = []model.Param{{Name: "w", Shape: []int{3, 5}, Decay: true}, {Name: "frozen", Shape: []int{7}, Decay: true},
	{Name: "v", Shape: []int{2, 2}, Decay: true}, {Name: "b", Shape: []int{5}}}

func smallStore(t *testing.T) *engine.Store {
	t.Helper()
	s, err := engine.NewStore(ref.New(), twoParams, func(name string) bool { return name != "frozen" })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Free)
	return s
}

func TestStoreKeepsTensorsApart(t *testing.T) {
	s := smallStore(t)
	written := map[engine.Memory]map[string][]float32{}
	for _, m := range []engine.Memory{engine.Weights, engine.Grads, engine.Moment1, engine.Moment2} {
		written[m] = map[string][]float32{}
		for n, p := range twoParams {
			if m != engine.Weights && p.Name == "frozen" {
				continue
			}
			values := slices.Repeat([]float32{float32(int(m)*10 + n + 1)}, p.Len())
			written[m][p.Name] = values
			if err := s.Write(m, p.Name, values); err != nil {
				t.Fatal(err)
			}
		}
	}
	for m, tensors := range written {
		for name, want := range tensors {
			got := make([]float32, len(want))
			if err := s.Read(m, name, got); err != nil || !slices.Equal(got, want) {
				t.Errorf("memory %d of %s: %v, %v; want %v", m, name, got, err, want)
			}
			if view := s.View(m, name); !slices.Equal(view, want) {
				t.Errorf("view of memory %d of %s: %v, want %v", m, name, view, want)
			}
		}
	}
}

// lender lends memory as the CPU does.
type lender struct{ kernels.Device }

func (lender) Lend(memory []byte) (kernels.Buffer, error) { return lent(memory), nil }

type lent []byte

func (b lent) Size() int64                   { return int64(len(b)) }
func (b lent) Bytes() []byte                 { return b }
func (lent) Write(int64, []byte) error       { return errors.New("read only") }
func (b lent) Read(d []byte, at int64) error { copy(d, b[at:]); return nil }
func (lent) Free()                           {}

// A store over memory of others finds its parameters where they lie there, and refuses places outside of it.
func TestStoreOver(t *testing.T) {
	memory := make([]float32, 100)
	for i := range memory {
		memory[i] = float32(i)
	}
	params := []model.Param{{Name: "a", Shape: []int{3, 5}}, {Name: "b", Shape: []int{7}}}
	first := map[string]int64{"a": 50, "b": 93}
	s, err := engine.NewStoreOver(lender{ref.New()}, params, kernels.BytesOf(memory), func(name string) int64 { return first[name] })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Free()
	for name, at := range first {
		if view := s.View(engine.Weights, name); view[0] != float32(at) || view[len(view)-1] != float32(int(at)+len(view)-1) {
			t.Errorf("%s is %v, want what lies from %d on", name, view, at)
		}
	}
	if err := s.Write(engine.Weights, "b", make([]float32, 7)); err == nil {
		t.Error("a weight of others was written")
	}
	for _, outside := range []int64{-1, 94} {
		first["b"] = outside
		_, err := engine.NewStoreOver(lender{ref.New()}, params, kernels.BytesOf(memory), func(name string) int64 { return first[name] })
		wantError(t, "a place outside", err, "parameter b", "within 100")
	}
}

func TestStoreErrors(t *testing.T) {
	s := smallStore(t)
	for _, c := range []struct {
		memory engine.Memory
		name   string
		length int
		want   []string
	}{
		{engine.Weights, "absent", 1, []string{`no parameter "absent"`}},
		{engine.Weights, "w", 14, []string{"w has 15 elements", "got 14"}},
		{engine.Grads, "frozen", 7, []string{"frozen is not trained"}},
		{engine.Moment2, "frozen", 7, []string{"frozen is not trained"}},
	} {
		values := make([]float32, c.length)
		for _, err := range []error{s.Write(c.memory, c.name, values), s.Read(c.memory, c.name, values)} {
			wantError(t, c.name, err, c.want...)
		}
	}
	if s.View(engine.Weights, "absent") != nil || s.View(engine.Grads, "frozen") != nil {
		t.Error("a view of what the store does not have")
	}
}

// TestRangesJoinNeighbours: parameters that are updated alike and lie beside each other are one range, and what is not
// trained lies in none.
func TestRangesJoinNeighbours(t *testing.T) {
	ranges := smallStore(t).Ranges()
	var got []int64
	for _, r := range ranges {
		got = append(got, r.First, r.FirstGrad, r.Length)
	}
	want := []int64{0, 0, 16, 32, 16, 16, 48, 32, 16} // 16 floats are the alignment
	if !slices.Equal(got, want) || !ranges[0].Decay || ranges[2].Decay {
		t.Errorf("ranges %v, want firsts, first gradients and lengths %v", ranges, want)
	}
	all, err := engine.NewStore(ref.New(), twoParams, func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	defer all.Free()
	if n := len(all.Ranges()); n != 2 {
		t.Errorf("%d ranges where all are trained, want 2: with decay and without", n)
	}
}

// TestCompileRefusesWhatTheStoreLacks: the error names the parameter.
func TestCompileRefusesWhatTheStoreLacks(t *testing.T) {
	f := newFixture("lm", 0)
	compile := func(params []model.Param, trainable func(string) bool) error {
		s, err := engine.NewStore(ref.New(), params, trainable)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Free()
		g, err := gpt2.Build(f.config, f.spec)
		if err != nil {
			t.Fatal(err)
		}
		p, err := engine.Compile(g, s, engine.Options{})
		if err == nil {
			p.Free()
		}
		return err
	}
	params := f.config.Params()
	yes := func(string) bool { return true }
	wantError(t, "fewer", compile(params[1:], yes), "no parameter", params[0].Name)
	wantError(t, "frozen", compile(params, func(name string) bool { return name != params[2].Name }), params[2].Name, "does not train it")
	other := slices.Clone(params)
	other[1].Shape = []int{f.config.Positions, f.config.Width + 1}
	wantError(t, "shape", compile(other, yes), other[1].Name, "176 elements in the store", "165 in the graph")
}

// TestCompileListVerifies: a list that no pass has seen is held against the rules too.
func TestCompileListVerifies(t *testing.T) {
	f := newFixture("lm", 0)
	s := newStore(t, ref.New(), f.config)
	g, err := gpt2.Build(f.config, f.spec)
	if err != nil {
		t.Fatal(err)
	}
	list, err := engine.Lower(g, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	list.Instrs = list.Instrs[1:] // what the embedding writes is read by the rest
	if p, err := engine.CompileList(list, s, engine.Options{}); err == nil || !strings.Contains(err.Error(), "breaks its rules") {
		t.Errorf("error is %v, want one that says the list breaks its rules", err)
		if err == nil {
			p.Free()
		}
	}
}

// TestRunReportsAFault: a token outside the vocabulary is refused with the instruction that saw it.
func TestRunReportsAFault(t *testing.T) {
	f := newFixture("lm", 0)
	f.ints[gpt2.Tokens][5] = int32(f.config.Vocab)
	s := newStore(t, ref.New(), f.config)
	p := f.compile(t, s, engine.Options{Precision: kernels.F32})
	f.feed(p, s)
	wantError(t, "fault", p.Run(), "embed", "37")
}

func TestProgramMemoryByName(t *testing.T) {
	f := newFixture("classify", 0)
	s := newStore(t, ref.New(), f.config)
	p := f.compile(t, s, engine.Options{})
	if p.Ints("absent") != nil || p.Floats("absent") != nil || p.Floats(gpt2.Tokens) != nil {
		t.Error("memory for a name that the program does not have, or of another type")
	}
	wantError(t, "widen", p.Widen(make([]float32, 3), gpt2.Logits), "logits", "3", "12")
	wantError(t, "widen", p.Widen(make([]float32, 3), "absent"), "absent")
}

func wantError(t *testing.T, what string, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error, want one with %q", what, words)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s: %v; want it to say %q", what, err, w)
		}
	}
}
