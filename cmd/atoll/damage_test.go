package main

import (
	"encoding/binary"
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// damages are the ways in which a model directory may be broken, each planted into a copy of a good one.
var damages = []struct {
	name   string
	damage func(dir string) error
	want   []string
}{
	{"truncated safetensors", func(dir string) error {
		return edit(dir, "model.safetensors", func(b []byte) []byte { return b[:len(b)/2] })
	},
		[]string{"model.safetensors"}},
	{"safetensors without a header", func(dir string) error {
		return edit(dir, "model.safetensors", func([]byte) []byte { return []byte("PK") })
	},
		[]string{"model.safetensors"}},
	{"wrong dtype", func(dir string) error { return editHeader(dir, "transformer.ln_f.bias", "dtype", "I32") },
		[]string{"transformer.ln_f.bias", "I32"}},
	{"wrong shape", func(dir string) error { return editHeader(dir, "transformer.ln_f.bias", "shape", []int{2, 12}) },
		[]string{"transformer.ln_f.bias", "[2 12]", "[24]"}},
	{"absent tensor", func(dir string) error { return renameTensor(dir, "transformer.ln_f.bias", "transformer.ln_x.bias") },
		[]string{"transformer.ln_f.bias"}},
	{"unknown config", func(dir string) error {
		return edit(dir, "config.json", func(b []byte) []byte { return []byte(strings.Replace(string(b), `"gpt2"`, `"gpt7"`, 1)) })
	}, []string{"config.json", "gpt7"}},
	{"config that is none", func(dir string) error { return edit(dir, "config.json", func([]byte) []byte { return []byte("{") }) },
		[]string{"config.json"}},
	{"NaN weights", func(dir string) error { return plant(dir, "transformer.ln_f.bias", float32(math.NaN())) }, []string{"transformer.ln_f.bias", "NaN"}},
	{"no tokenizer", func(dir string) error { return os.Remove(filepath.Join(dir, "tokenizer.json")) }, []string{"tokenizer"}},
}

// TestTrainRefusesDamagedModels: each way of damage is planted into a copy of a good model.
func TestTrainRefusesDamagedModels(t *testing.T) {
	w := newWorkshop(t)
	lm, _ := w.data()
	run := w.path("run")
	w.must(w.training("pretrain", lm, run, "--steps", "2")...)
	good, err := filepath.EvalSymlinks(filepath.Join(run, "checkpoints", "step-00000002"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range damages {
		dir := w.copyModel(good)
		if err := c.damage(dir); err != nil {
			t.Fatal(err)
		}
		w.refuses(c.name, exitFailed, c.want, "pretrain", "--data", lm, "--from", dir, "--steps", "2", "--seq", "24", "--batch", "2", "--out", w.path("out"))
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	w.refuses("missing model", exitFailed, []string{w.path("absent")}, "pretrain", "--data", lm, "--from", w.path("absent"), "--steps", "2", "--seq", "24", "--out", w.path("out"))
}

// copyModel copies a checkpoint as a model from elsewhere: without what a run keeps in it, checksums among it.
func (w workshop) copyModel(checkpoint string) string {
	w.Helper()
	dir := w.path("damaged")
	if err := os.CopyFS(dir, os.DirFS(checkpoint)); err != nil {
		w.Fatal(err)
	}
	for _, name := range []string{"manifest.json", "optimizer.safetensors", "state.json"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			w.Fatal(err)
		}
	}
	return dir
}

// TestEveryCommandRefusesDamagedModels: those that read a model, on a classifier and on a language model.
func TestEveryCommandRefusesDamagedModels(t *testing.T) {
	w := newWorkshop(t)
	lm, labelled := w.data()
	w.must(w.training("pretrain", lm, w.path("lm-run"), "--steps", "2")...)
	w.must(w.training("finetune", labelled, w.path("run"), "--steps", "2")...)
	text := w.write("text.txt", "some text\n")
	for _, c := range damages {
		for run, commands := range map[string][][]string{
			"run":    {{"classify", text}, {"evaluate", "--data", labelled}, {"export", "--out", w.path("out")}, {"finetune", "--data", labelled, "--out", w.path("out"), "--seq", "24"}},
			"lm-run": {{"generate", "--prompt", "some"}, {"evaluate", "--data", lm}},
		} {
			dir := w.copyModel(w.path(run, "checkpoints", "step-00000002"))
			if err := c.damage(dir); err != nil {
				t.Fatal(err)
			}
			for _, args := range commands {
				flag := "--model"
				if args[0] == "finetune" {
					flag = "--from"
				}
				w.refuses(args[0]+", "+c.name, exitFailed, c.want, append(args, flag, dir)...)
			}
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, args := range [][]string{{"classify", text, "--model", w.path("lm-run")}, {"generate", "--prompt", "some", "--model", w.path("run")},
		{"evaluate", "--data", lm, "--model", w.path("run")}} {
		w.refuses(args[0]+" of the wrong kind", exitFailed, nil, args...)
	}
}

func edit(dir, name string, change func([]byte) []byte) error {
	path := filepath.Join(dir, name)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, change(text), 0o644)
}

// withHeader rewrites the header of model.safetensors: a length, JSON, and then the tensors' bytes.
func withHeader(dir string, change func(header map[string]any, data []byte)) error {
	var failed error
	err := edit(dir, "model.safetensors", func(b []byte) []byte {
		length := binary.LittleEndian.Uint64(b)
		var header map[string]any
		failed = json.Unmarshal(b[8:8+length], &header)
		data := b[8+length:]
		change(header, data)
		text, err := json.Marshal(header)
		if failed == nil {
			failed = err
		}
		text = append(text, strings.Repeat(" ", (8-len(text)%8)%8)...)
		return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...), data...)
	})
	if err != nil {
		return err
	}
	return failed
}

func editHeader(dir, tensor, key string, value any) error {
	return withHeader(dir, func(header map[string]any, _ []byte) { header[tensor].(map[string]any)[key] = value })
}

func renameTensor(dir, from, to string) error {
	return withHeader(dir, func(header map[string]any, _ []byte) {
		header[to] = header[from]
		delete(header, from)
	})
}

// plant sets the first value of a tensor.
func plant(dir, tensor string, value float32) error {
	return withHeader(dir, func(header map[string]any, data []byte) {
		offset := int(header[tensor].(map[string]any)["data_offsets"].([]any)[0].(float64))
		binary.LittleEndian.PutUint32(data[offset:], math.Float32bits(value))
	})
}

// TestHugeWeightsStopAtTheFirstStep: the loss overflows before anything was trained; nothing of the model is lost.
func TestHugeWeightsStopAtTheFirstStep(t *testing.T) {
	w := newWorkshop(t)
	lm, _ := w.data()
	run := w.path("run")
	w.must(w.training("pretrain", lm, run, "--steps", "2")...)
	dir := filepath.Join(run, "checkpoints", "step-00000002")
	if err := os.Remove(filepath.Join(dir, "manifest.json")); err != nil { // it holds the checksum of what is planted into
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "state.json")); err != nil {
		t.Fatal(err)
	}
	if err := plant(dir, "transformer.ln_f.weight", math.MaxFloat32); err != nil {
		t.Fatal(err)
	}
	before := w.snapshot(run)
	o := w.run("pretrain", "--data", lm, "--from", dir, "--out", w.path("out"), "--steps", "2", "--seq", "24", "--batch", "4")
	line := w.errorLine("huge weights", o.stderr)
	if o.code != exitFailed || !strings.HasPrefix(line, "atoll: step 1: ") || !strings.Contains(line, "finite") || !strings.Contains(line, "corpus.csv:") {
		t.Errorf("exit %d, %q; want 1 and an error of step 1 with its documents", o.code, line)
	}
	if after := w.snapshot(run); !maps.Equal(before, after) {
		t.Error("the model that the run started from has changed")
	}
}
