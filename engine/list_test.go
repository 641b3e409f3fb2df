package engine_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"atoll/engine"
	"atoll/engine/lower"
	"atoll/engine/plan"
	"atoll/kernels"
	"atoll/model/gpt2"
)

var update = flag.Bool("update", false, "write the lists in testdata anew")

// golden are the compiled lists that are kept as text: a change of a pass shows as a diff of them.
var golden = []struct {
	file    string
	fixture func() fixture
	o       engine.Options
}{
	{"lm.txt", func() fixture { return oneLayer("lm", 0) }, engine.Options{}},
	{"lm-bf16-dropout.txt", func() fixture { return oneLayer("lm", 0.1) }, engine.Options{Precision: kernels.BF16}},
	{"classify.txt", func() fixture { return oneLayer("classify", 0) }, engine.Options{}},
	{"classify-head.txt", headOnly, engine.Options{Precision: kernels.BF16}},
	{"lm-recompute-gelu.txt", func() fixture { return oneLayer("lm", 0) }, engine.Options{Recompute: lower.RecomputeGELU}},
	{"lm-recompute-block.txt", func() fixture { return oneLayer("lm", 0.1) }, engine.Options{Precision: kernels.BF16, Recompute: lower.RecomputeBlock}},
}

func oneLayer(kind string, dropout float32) fixture {
	f := newFixture(kind, dropout)
	f.config.Layers = 1
	f.spec.Train = names(f.config)
	return f
}

// headOnly trains the head alone: nothing of the blocks' backward pass may be left.
func headOnly() fixture {
	f := oneLayer("classify", 0)
	f.spec.Train = []string{"score.weight"}
	return f
}

// text is the list of f with the memory that it needs.
func (f fixture) text(t *testing.T, o engine.Options) string {
	t.Helper()
	g, err := gpt2.Build(f.config, f.spec)
	if err != nil {
		t.Fatal(err)
	}
	list, err := engine.Lower(g, o)
	if err != nil {
		t.Fatal(err)
	}
	layout := plan.Temporaries(list)
	return fmt.Sprintf("%sarena %d bytes, at least %d\n", list, layout.Bytes, layout.Floor)
}

func TestGoldenLists(t *testing.T) {
	for _, c := range golden {
		path := filepath.Join("testdata", c.file)
		got := c.fixture().text(t, c.o)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs (go test ./engine -update writes it anew):\n%s", path, diff(string(want), got))
		}
	}
}

// diff shows the lines that are not at the same place in both.
func diff(want, got string) string {
	var b strings.Builder
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for n := range max(len(w), len(g)) {
		var before, after string
		if n < len(w) {
			before = w[n]
		}
		if n < len(g) {
			after = g[n]
		}
		if before != after {
			fmt.Fprintf(&b, "-%s\n+%s\n", before, after)
		}
	}
	return b.String()
}

// TestCompilingIsDeterministic: maps in the graph and in the compiler must not show in the list or in its memory plan.
func TestCompilingIsDeterministic(t *testing.T) {
	for _, kind := range kinds {
		f := newFixture(kind, 0.1)
		want := ""
		for n := range 20 {
			g, err := gpt2.Build(f.config, f.spec)
			if err != nil {
				t.Fatal(err)
			}
			list, err := engine.Lower(g, engine.Options{Precision: kernels.BF16})
			if err != nil {
				t.Fatal(err)
			}
			got := list.String()
			for id, v := range list.Values {
				got += fmt.Sprintf("%d %v at %d\n", id, v, plan.Temporaries(list).Offsets[id])
			}
			if n == 0 {
				want = got
			}
			if got != want {
				t.Fatalf("%s: compilation %d differs from the first:\n%s", kind, n, diff(want, got))
			}
		}
	}
}
