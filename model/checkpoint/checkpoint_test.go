package checkpoint

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"atoll/model"
)

// tiny is a model of a few hundred values.
func tiny(labels ...string) model.Config {
	c := model.Config{
		Vocab: 11, Positions: 6, Width: 4, Layers: 2, Heads: 2, Inner: 16, Epsilon: 1e-5, InitRange: 0.02,
		EndOfText: 10, PadToken: model.NoToken, Labels: labels,
	}
	if len(labels) > 0 {
		c.Problem = model.SingleLabel
	}
	return c
}

// filled returns a snapshot of c in which every value of the weights is value and every moment value+0.5.
func filled(c model.Config, step int, value float32) Snapshot {
	s := Snapshot{
		Step: step, Config: c, State: fmt.Appendf(nil, `{"step": %d}`, step),
		Files: map[string][]byte{"tokenizer.json": []byte(`{"version": "1.0"}`)},
	}
	for _, p := range c.Params() {
		s.Weights = append(s.Weights, Float32(p.Name, p.Shape, constant(p.Len(), value)))
		s.Optimizer = append(s.Optimizer, Float32("m."+p.Name, p.Shape, constant(p.Len(), value+0.5)))
	}
	return s
}

func constant(n int, value float32) []float32 { return slices.Repeat([]float32{value}, n) }

func mustSave(t *testing.T, dir string, s Snapshot) string {
	t.Helper()
	path, err := Save(dir, s)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// load reads all parameters of path and its step.
func load(t *testing.T, path string, o Options) (map[string][]float32, *Checkpoint) {
	t.Helper()
	c, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	values := map[string][]float32{}
	loaded, err := c.Load(c.Config.Params(), nil, func(p model.Param) []float32 {
		values[p.Name] = make([]float32, p.Len())
		return values[p.Name]
	})
	if err != nil || len(loaded.Absent) > 0 {
		t.Fatalf("Load: %+v, %v", loaded, err)
	}
	return values, c
}

func TestRoundTrip(t *testing.T) {
	config := tiny("ham", "spam")
	s := Snapshot{Step: 7, Config: config, State: []byte(`{"x":1}`), Files: map[string][]byte{"tokenizer.json": []byte("{}")}}
	want := map[string][]float32{}
	for i, p := range config.Params() {
		values := make([]float32, p.Len())
		if err := model.Initialize(p, uint64(i), values); err != nil {
			t.Fatal(err)
		}
		want[p.Name] = values
		s.Weights = append(s.Weights, Float32(p.Name, p.Shape, values))
	}
	s.Optimizer = []Source{Float32("step", nil, []float32{7}), Bytes("seen", I64, []int{2}, make([]byte, 16))}
	run := t.TempDir()
	dir := mustSave(t, filepath.Join(run, runFolder), s)
	if want := filepath.Join(run, runFolder, "step-00000007"); dir != want {
		t.Errorf("saved as %s, want %s", dir, want)
	}
	got, c := load(t, run, Options{VerifyChecksums: true})
	for name, values := range want {
		if !slices.Equal(got[name], values) {
			t.Errorf("%s: values differ after the round trip", name)
		}
	}
	if state, err := c.State(); err != nil || !bytes.Equal(state, s.State) {
		t.Errorf("state %s, %v", state, err)
	}
	optimizer, err := c.Optimizer()
	if err != nil {
		t.Fatal(err)
	}
	defer optimizer.Close()
	step := make([]float32, 1)
	if err := optimizer.ReadFloat32("step", step); err != nil || step[0] != 7 {
		t.Errorf("optimizer step %v, %v", step, err)
	}
	for _, name := range []string{"tokenizer.json", "generation_config.json", "config.json", "manifest.json"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

// TestTransformersModel reads a model that Transformers 5.23.0 saved. The sums and ends were computed by numpy in float64
// over what the safetensors library (Python, 0.8.0) reads.
func TestTransformersModel(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "reference", "a", "classify")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the shared reference models are not here")
	}
	values, _ := load(t, dir, Options{})
	for _, want := range []struct {
		name        string
		sum         float64
		first, last float32
	}{
		{"transformer.wte.weight", 9.232914542715662, 0.14342365, 0.01591762},
		{"transformer.h.1.mlp.c_proj.weight", 7.407637788421539, 0.03324356, 0.0036864735},
		{"transformer.ln_f.bias", -1.741737031377852, 0.008745138, 0.12658875},
		{"score.weight", 0.09688786532205995, 0.011634005, -0.06356642},
	} {
		v := values[want.name]
		sum := 0.0
		for _, x := range v {
			sum += float64(x)
		}
		if math.Abs(sum-want.sum) > 1e-9 || v[0] != want.first || v[len(v)-1] != want.last {
			t.Errorf("%s: sum %v, ends %v and %v, want %+v", want.name, sum, v[0], v[len(v)-1], want)
		}
	}
}
