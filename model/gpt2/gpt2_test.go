package gpt2_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"atoll/engine/op"
	"atoll/model"
	"atoll/model/gpt2"
)

func config(labels ...string) model.Config {
	c := model.Config{Vocab: 37, Positions: 11, Width: 16, Layers: 2, Heads: 2, Inner: 24, Epsilon: 1e-5, InitRange: 0.02, EndOfText: 0, PadToken: 0,
		EmbdDropout: 0.1, ResidDropout: 0.2, AttnDropout: 0.3, Labels: labels}
	if len(labels) > 0 {
		c.Problem = model.SingleLabel
	}
	return c
}

func several(labels ...string) model.Config {
	c := config(labels...)
	c.Problem = model.MultiLabel
	return c
}

// TestEndsOfGraphs: what each kind of graph reads and gives, with the shapes that the package promises.
func TestEndsOfGraphs(t *testing.T) {
	for _, c := range []struct {
		name   string
		config model.Config
		spec   gpt2.Spec
		want   string
	}{
		{"lm, loss", config(), gpt2.Spec{Batch: 2, Sequence: 5, Loss: true}, "targets(2, 5) tokens(2, 5) step(8) -> loss"},
		{"lm, loss with dropout", config(), gpt2.Spec{Batch: 2, Sequence: 5, Loss: true, Dropout: true}, "seed(2) targets(2, 5) tokens(2, 5) step(8) -> loss"},
		{"lm, logits", config(), gpt2.Spec{Batch: 2, Sequence: 5, Logits: true}, "tokens(2, 5) -> hidden(10, 16) logits(10, 37)"},
		{"classifier", config("a", "b", "c"), gpt2.Spec{Batch: 2, Sequence: 5}, "lengths(2) tokens(2, 5) -> logits(2, 3)"},
		{"classifier, loss", config("a", "b", "c"), gpt2.Spec{Batch: 2, Sequence: 5, Loss: true}, "labels(2) lengths(2) tokens(2, 5) step(8) -> logits(2, 3) loss"},
		{"classifier, weights", config("a", "b", "c"), gpt2.Spec{Batch: 2, Sequence: 5, Loss: true, ClassWeights: true},
			"labels(2) lengths(2) tokens(2, 5) weights(3) step(8) -> logits(2, 3) loss"},
		{"several labels", several("a", "b", "c"), gpt2.Spec{Batch: 2, Sequence: 5, Loss: true}, "labels(2, 3) lengths(2) tokens(2, 5) step(8) -> logits(2, 3) loss"},
	} {
		g, err := gpt2.Build(c.config, c.spec)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := ends(g); got != c.want {
			t.Errorf("%s: %s\nwant %s", c.name, got, c.want)
		}
	}
}

func ends(g *op.Graph) string {
	var in, out []string
	inputs := maps.Clone(g.Inputs)
	step := inputs["step"]
	delete(inputs, "step")
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		in = append(in, name+fmt.Sprint(inputs[name].Shape()))
	}
	if step != nil {
		in = append(in, "step"+fmt.Sprint(step.Shape()))
	}
	for _, name := range slices.Sorted(maps.Keys(g.Outputs)) {
		out = append(out, name+fmt.Sprint(g.Outputs[name].Shape()))
	}
	if g.Loss != nil {
		out = append(out, "loss")
	}
	return strings.Join(in, " ") + " -> " + strings.Join(out, " ")
}

// TestEveryParameterHasAGradient of its own shape.
func TestEveryParameterHasAGradient(t *testing.T) {
	for _, c := range []model.Config{config(), config("a", "b"), several("a", "b")} {
		var names []string
		for _, p := range c.Params() {
			names = append(names, p.Name)
		}
		g, err := gpt2.Build(c, gpt2.Spec{Batch: 2, Sequence: 5, Loss: true, Dropout: true, Train: names})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range c.Params() {
			if n := g.Grads[p.Name]; n == nil || !slices.Equal(n.Shape(), p.Shape) {
				t.Errorf("%v: the gradient of %s is %v, want shape %v", c.Problem, p.Name, n, p.Shape)
			}
		}
	}
}

// TestEachDropoutHasItsOwnSalt: two with one salt would draw the same mask.
func TestEachDropoutHasItsOwnSalt(t *testing.T) {
	g, err := gpt2.Build(config(), gpt2.Spec{Batch: 2, Sequence: 5, Loss: true, Dropout: true})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, n := range g.Expr.AllNodes() {
		if n.Op() == nil || !strings.Contains(n.Op().String(), "salt=") {
			continue
		}
		_, salt, _ := strings.Cut(n.Op().String(), "salt=")
		if salt == "0}" {
			t.Errorf("%v has no salt", n.Op())
		}
		if seen[salt] {
			t.Errorf("two dropouts have the salt %s", salt)
		}
		seen[salt] = true
	}
	if len(seen) != 1+2*3 {
		t.Errorf("%d dropouts, want one of the embedding and three a block", len(seen))
	}
}

func TestDecoder(t *testing.T) {
	g, err := gpt2.BuildDecoder(config(), 1, 4)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := ends(g), "lengths(1) start(1) tokens(1, 4) -> logits(1, 37)"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if states := slices.Sorted(maps.Keys(g.States)); !slices.Equal(states, []string{"keys.0", "keys.1", "values.0", "values.1"}) {
		t.Errorf("caches %v", states)
	}
	if s := g.States["keys.1"].Shape(); !slices.Equal(s, []int{11, 16}) {
		t.Errorf("a cache of %v, want a row for each of 11 positions", s)
	}
}

func TestBuildErrors(t *testing.T) {
	broken := config()
	broken.Heads = 3
	for name, c := range map[string]struct {
		config model.Config
		spec   gpt2.Spec
		want   []string
	}{
		"too long":          {config(), gpt2.Spec{Batch: 2, Sequence: 12, Loss: true}, []string{"12 tokens", "11 positions", "2 sequences"}},
		"invalid config":    {broken, gpt2.Spec{Batch: 2, Sequence: 5}, []string{"n_head", "3"}},
		"unknown parameter": {config(), gpt2.Spec{Batch: 2, Sequence: 5, Loss: true, Train: []string{"score.weight"}}, []string{"score.weight"}},
		"no loss to train":  {config(), gpt2.Spec{Batch: 2, Sequence: 5, Train: []string{"transformer.wte.weight"}}, []string{"no loss"}},
		"no batch":          {config(), gpt2.Spec{Sequence: 5, Loss: true}, []string{"batch", "at least 1"}},
		"no sequence":       {config("a", "b"), gpt2.Spec{Batch: 2, Loss: true}, []string{"sequence", "at least 1"}},
	} {
		_, err := gpt2.Build(c.config, c.spec)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v; want it to say %q", name, err, w)
			}
		}
	}
	if _, err := gpt2.BuildDecoder(config(), 1, 12); err == nil || !strings.Contains(err.Error(), "11 positions") {
		t.Errorf("a decoder longer than the model: %v", err)
	}
}
