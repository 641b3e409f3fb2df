package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"atoll/model"
	"atoll/model/checkpoint"
)

// The directory must hold what from_pretrained reads, the same weights, and nothing of a trainer.
func TestExport(t *testing.T) {
	for _, c := range []struct {
		config       model.Config
		architecture string
		has          string
	}{
		{tinyConfig(model.LanguageModel), "GPT2LMHeadModel", "transformer.wte.weight"},
		{tinyConfig(model.MultiLabel, "a", "b"), "GPT2ForSequenceClassification", "score.weight"},
	} {
		dir, out := writeModel(t, c.config), filepath.Join(t.TempDir(), "hf")
		mustRun(t, "", "export", "--model", dir, "--out", out, "--format", "hf")
		for _, name := range []string{"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "generation_config.json"} {
			if !fileExists(filepath.Join(out, name)) {
				t.Errorf("%s is missing", name)
			}
		}
		for _, name := range []string{"optimizer.safetensors", "state.json"} {
			if fileExists(filepath.Join(out, name)) {
				t.Errorf("%s is the trainer's and should not be there", name)
			}
		}
		text, err := os.ReadFile(filepath.Join(out, "config.json"))
		if err != nil {
			t.Fatal(err)
		}
		var config struct{ Architectures []string }
		if err := json.Unmarshal(text, &config); err != nil || !slices.Equal(config.Architectures, []string{c.architecture}) {
			t.Errorf("architectures %v (%v), want %s", config.Architectures, err, c.architecture)
		}
		if from, to := readTensor(t, dir, c.has), readTensor(t, out, c.has); !slices.Equal(from, to) {
			t.Errorf("%s has changed", c.has)
		}
		if prompt := "some text"; len(c.config.Labels) > 0 {
			if a, b := mustRun(t, prompt, "classify", "--model", dir), mustRun(t, prompt, "classify", "--model", out); a != b {
				t.Errorf("the model says %s, exported it says %s", a, b)
			}
		}
	}
}

func readTensor(t *testing.T, dir, name string) []float32 {
	t.Helper()
	f, err := checkpoint.OpenFile(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tensor, err := f.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	values := make([]float32, tensor.Shape[0]*tensor.Shape[1])
	if err := f.ReadFloat32(name, values); err != nil {
		t.Fatal(err)
	}
	return values
}

func TestExportKeepsWhatIsThere(t *testing.T) {
	dir := writeModel(t, tinyConfig(model.LanguageModel))
	out := t.TempDir()
	code, _, errs := command(t, "", "export", "--model", dir, "--out", out)
	if code != exitFailed || !strings.Contains(errs, out) {
		t.Errorf("exit %d, %q over a folder that is there; want 1 and its name", code, errs)
	}
}
