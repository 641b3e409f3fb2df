package trainer

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"atoll/kernels"
	"atoll/kernels/cpu"
	"atoll/model/bpe"
	"atoll/model/checkpoint"
	"atoll/trainer/data"
	"atoll/trainer/metric"
)

// lab is a folder with small data, a small model and a device.
type lab struct {
	*testing.T
	dir string
	env Env
}

func newLab(t *testing.T) lab {
	t.Helper()
	l := lab{t, t.TempDir(), Env{Precision: kernels.F32, Progress: metric.NewProgressLine(&strings.Builder{}, nil)}}
	l.onThreads(2)
	return l
}

// onThreads makes a CPU of so many threads the lab's device.
func (l *lab) onThreads(threads int) {
	l.Helper()
	d, err := cpu.New(cpu.Options{Threads: threads})
	l.use(d, err)
}

// use makes a device that was opened without an error the lab's, to the end of the test.
func (l *lab) use(d kernels.Device, err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() {
		if err := d.Close(); err != nil {
			l.Error(err)
		}
	})
	l.env.Device = d
}

func (l lab) path(name ...string) string { return filepath.Join(append([]string{l.dir}, name...)...) }

func (l lab) write(name, text string) string {
	l.Helper()
	if err := os.WriteFile(l.path(name), []byte(text), 0o644); err != nil {
		l.Fatal(err)
	}
	return l.path(name)
}

// corpus is n documents with labels: two thirds are of class a, the rest of b and c, and for several labels a document.
func corpus(n int) string {
	var b strings.Builder
	b.WriteString("text,label,tags\n")
	for i := range n {
		class := []int{0, 0, 0, 0, 1, 2}[i%6]
		text := []string{"red apple", "blue ocean", "grey stone"}[class]
		fmt.Fprintf(&b, "%s %s %d,%c,\"%s\"\n", text, strings.Repeat("and so on ", i%4), i, 'a'+class, []string{"x", "x,y", "y"}[i%3])
	}
	return b.String()
}

// prepare writes a data directory of 120 documents: 96 to train on, 12 to validate.
func (l lab) prepare(task data.Task) string {
	l.Helper()
	out := l.path("data-" + string(task))
	o := data.Options{Inputs: []string{l.write("corpus.csv", corpus(120))}, Out: out, Task: task, Text: []string{"text"}, Seed: 1, TokenizerName: "bytes"}
	switch task {
	case data.Classify:
		o.Label = "label"
	case data.MultiLabel:
		o.Label = "tags"
	}
	im, err := data.Scan(context.Background(), o)
	if err != nil {
		l.Fatal(err)
	}
	if _, err := im.Write(context.Background(), bpe.Bytes()); err != nil {
		l.Fatal(err)
	}
	return out
}

func (l lab) model() string {
	return l.write("config.json", fmt.Sprintf(`{"vocab_size": %d, "n_positions": 64, "n_embd": 16, "n_layer": 3, "n_head": 2}`, bpe.Bytes().VocabSize()))
}

// pretraining are the settings of a short run.
func (l lab) pretraining(dataDir, out string) Settings {
	s := PretrainDefaults()
	s.Data, s.Out, s.Model, s.Steps, s.Batch, s.Sequence, s.Warmup, s.LearningRate, s.SampleTokens = dataDir, l.path(out), l.model(), 6, 4, 32, 2, 3e-3, 0
	return s
}

// finetuning likewise.
func (l lab) finetuning(dataDir, out string) Settings {
	s := FinetuneDefaults()
	s.Data, s.Out, s.Model, s.Steps, s.Epochs, s.Batch, s.Sequence, s.Warmup, s.LearningRate = dataDir, l.path(out), l.model(), 6, 0, 8, 32, 2, 3e-3
	return s
}

func (l lab) result(r *Result, err error) *Result {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
	return r
}

func (l lab) records(out, split string) []metric.Record {
	l.Helper()
	all, err := metric.ReadLog(l.path(out, "metrics.jsonl"))
	if err != nil {
		l.Fatal(err)
	}
	var kept []metric.Record
	for _, r := range all {
		if r.Split == split {
			kept = append(kept, r)
		}
	}
	return kept
}

// weights are the tensors of a model directory or a run.
func (l lab) weights(path string) map[string]string {
	l.Helper()
	dir, _, err := checkpoint.Resolve(path, checkpoint.Newest)
	if err != nil {
		l.Fatal(err)
	}
	file, err := checkpoint.OpenFile(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		l.Fatal(err)
	}
	defer file.Close()
	tensors := map[string]string{}
	for _, name := range file.Names() {
		tensor, err := file.Tensor(name)
		if err != nil {
			l.Fatal(err)
		}
		tensors[name] = string(tensor.Data)
	}
	return tensors
}
