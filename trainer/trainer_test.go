package trainer

import (
	"context"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"atoll/trainer/data"
)

// TestPretrainLearns: the loss falls well below that of guessing, and the result says what the files say.
func TestPretrainLearns(t *testing.T) {
	l := newLab(t)
	s := l.pretraining(l.prepare(data.LanguageModel), "run")
	s.Steps, s.EvalEvery, s.LearningRate = 80, 40, 1e-2
	r := l.result(Pretrain(t.Context(), s, l.env))
	valid := l.records("run", "valid")
	if len(valid) != 2 || r.BestScore != float64(valid[1].Loss) || r.BestScore > 2.5 || r.BestStep != 80 || r.Step != 80 {
		t.Errorf("result %+v, validation %+v", r, valid)
	}
	if runtime.GOOS == "linux" && (r.PeakMemory < 1<<20 || r.PeakMemory > 1<<40) {
		t.Errorf("peak memory is %d bytes, want that of a process", r.PeakMemory)
	}
	if math.Abs(float64(*valid[1].Perplexity)-math.Exp(float64(valid[1].Loss))) > 1e-6 {
		t.Errorf("perplexity %v of loss %v", *valid[1].Perplexity, valid[1].Loss)
	}
	if train := l.records("run", "train"); len(train) != 80 || math.Abs(float64(train[0].Loss)-math.Log(257)) > 0.1 || r.TrainLoss != train[79].Loss {
		t.Errorf("%d records, the first loss %v, want 80 from %v on", len(train), train[0].Loss, math.Log(257))
	}
}

// TestFinetuneLearns what sets the classes apart, one label and several.
func TestFinetuneLearns(t *testing.T) {
	l := newLab(t)
	for _, task := range []data.Task{data.Classify, data.MultiLabel} {
		s := l.finetuning(l.prepare(task), string(task))
		s.Steps, s.Epochs, s.LearningRate, s.Dropout = 0, 4, 1e-2, 0
		r := l.result(Finetune(t.Context(), s, l.env))
		if valid := l.records(string(task), "valid"); len(valid) != 4 {
			t.Errorf("%s: %d evaluations, want one an epoch", task, len(valid))
		}
		if task == data.Classify && r.BestScore < 0.9 {
			t.Errorf("%s: %s %g after 4 epochs, want above 0.9", task, r.ScoreName, r.BestScore)
		}
	}
}

// TestLengthOfARun: epochs become steps by the batches of the split and the micro-batches of a step, and minutes end a run.
func TestLengthOfARun(t *testing.T) {
	l := newLab(t)
	labelled := l.prepare(data.Classify)
	for _, c := range []struct {
		epochs              float64
		batch, tokens, want int
	}{{1, 8, 0, 12}, {2, 8, 0, 24}, {0.5, 8, 0, 6}, {0.01, 8, 0, 1}, {1, 8, 512, 6}, {1, 8, 257, 6}, {1, 8, 256, 12}, {1, 96, 0, 1}, {1, 5 * 8, 1280 * 5, 1}} {
		s := l.finetuning(labelled, fmt.Sprintf("run-%v", c))
		s.Steps, s.Epochs, s.Batch, s.TokensPerStep, s.Method = 0, c.epochs, c.batch, c.tokens, "head"
		if r := l.result(Finetune(t.Context(), s, l.env)); r.Step < c.want || r.Step > c.want+c.want/3 {
			t.Errorf("%+v: %d steps", c, r.Step) // buckets of length may add batches that are not full
		}
	}
	s := l.finetuning(labelled, "minutes")
	s.Steps, s.Minutes = 0, 0.3/60
	r := l.result(Finetune(t.Context(), s, l.env))
	if rate := l.records("minutes", "train")[r.Step-1].LearningRate; r.Seconds < 0.3 || r.Step < 5 || float64(rate) > s.LearningRate/2 {
		t.Errorf("%d steps in %g s, the last at rate %v: want 0.3 s, and a rate that has fallen", r.Step, r.Seconds, rate)
	}
}

// TestMethodsLeaveOtherWeightsUntouched compares the weights before and after, tensor by tensor.
func TestMethodsLeaveOtherWeightsUntouched(t *testing.T) {
	l := newLab(t)
	base := l.pretraining(l.prepare(data.LanguageModel), "base")
	l.result(Pretrain(t.Context(), base, l.env))
	before := l.weights(base.Out)
	labelled := l.prepare(data.Classify)
	for method, trained := range map[string]func(string) bool{
		"full": func(string) bool { return true },
		"last": func(name string) bool {
			return strings.HasPrefix(name, "transformer.h.2.") || strings.HasPrefix(name, "transformer.ln_f.")
		},
		"head": func(string) bool { return false },
	} {
		s := l.finetuning(labelled, method)
		s.From, s.Model, s.Method = base.Out, "", method
		l.result(Finetune(t.Context(), s, l.env))
		after := l.weights(s.Out)
		if len(after[scoreParam]) != 4*3*16 {
			t.Errorf("%s: the head has %d bytes", method, len(after[scoreParam]))
		}
		for name := range before {
			if name == "transformer.wpe.weight" || name == "transformer.wte.weight" {
				if method == "full" == (after[name] == before[name]) {
					t.Errorf("%s: %s changed: %v", method, name, after[name] != before[name])
				}
				continue
			}
			if changed := after[name] != before[name]; changed != trained(name) {
				t.Errorf("%s: %s changed: %v", method, name, changed)
			}
		}
	}
}

// TestEarlyStopping ends a run whose score cannot rise, and keeps the step it ended at.
func TestEarlyStopping(t *testing.T) {
	l := newLab(t)
	s := l.finetuning(l.prepare(data.Classify), "run")
	s.Steps, s.EvalEvery, s.SaveEvery, s.Patience, s.Method = 50, 3, 50, 2, "head"
	s.LearningRate = 1e-12
	r := l.result(Finetune(t.Context(), s, l.env))
	if r.Step != 9 || r.BestStep != 3 || !strings.Contains(r.Stopped, "2 evaluations") || r.Interrupted {
		t.Errorf("%+v, want a stop at step 9 with the best at 3", r)
	}
	if filepath.Base(r.Checkpoint) != "step-00000009" {
		t.Errorf("the last checkpoint is %s, want that of step 9", r.Checkpoint)
	}
	best, err := os.Readlink(l.path("run", "checkpoints", "best"))
	if err != nil || best != "step-00000003" {
		t.Errorf("best is %s, %v", best, err)
	}
}

// untilLogged is a context that ends once the log has a step.
type untilLogged struct {
	context.Context
	log  string
	step string
}

func (c untilLogged) Err() error {
	text, err := os.ReadFile(c.log)
	if err == nil && strings.Contains(string(text), `"step":`+c.step+",") {
		return context.Canceled
	}
	return nil
}

// TestInterruptedEvaluationIsMadeUpFor: a run that is interrupted while it evaluates does so when it is resumed, so that
// its log and its best step are those of a run at once. The last step has no later one to make up for it.
func TestInterruptedEvaluationIsMadeUpFor(t *testing.T) {
	l := newLab(t)
	lm := l.prepare(data.LanguageModel)
	whole := l.pretraining(lm, "whole")
	whole.EvalEvery = 3
	want := l.result(Pretrain(t.Context(), whole, l.env))
	for _, step := range []string{"3", "4", "6"} {
		s := whole
		s.Out = l.path("stopped-" + step)
		r := l.result(Pretrain(untilLogged{t.Context(), filepath.Join(s.Out, "metrics.jsonl"), step}, s, l.env))
		if !r.Interrupted || fmt.Sprint(r.Step) != step {
			t.Fatalf("%+v, want an interruption at step %s", r, step)
		}
		s.Resume = true
		got := l.result(Pretrain(t.Context(), s, l.env))
		if got.BestStep != want.BestStep || got.BestScore != want.BestScore || got.Step != want.Step || got.TrainLoss != want.TrainLoss {
			t.Errorf("interrupted at step %s: %+v, at once %+v", step, got, want)
		}
		a, b := l.records("stopped-"+step, "valid"), l.records("whole", "valid")
		l.result(Pretrain(t.Context(), s, l.env)) // all is done: nothing may be added
		if again := l.records("stopped-"+step, "valid"); len(again) != len(a) {
			t.Errorf("resuming a run that is done made %d evaluations of %d", len(again), len(a))
		}
		if len(a) != len(b) || a[0].Loss != b[0].Loss || a[0].Step != b[0].Step || a[len(a)-1].Loss != b[len(b)-1].Loss {
			t.Errorf("interrupted at step %s: evaluations %+v, at once %+v", step, a, b)
		}
	}
}

// TestClassWeights computes balanced weights by hand and reads others from a file; with all weights equal, nothing changes.
func TestClassWeights(t *testing.T) {
	l := newLab(t)
	for _, c := range []struct {
		task data.Task
		by   func(n, count, classes float64) float64
	}{
		{data.Classify, func(n, count, classes float64) float64 { return n / (classes * count) }},
		{data.MultiLabel, func(n, count, _ float64) float64 { return (n - count) / count }},
	} {
		s := l.finetuning(l.prepare(c.task), "balanced-"+string(c.task))
		s.ClassWeights = "balanced"
		r := &run{Settings: s, env: l.env}
		if err := r.openData(); err != nil {
			t.Fatal(err)
		}
		if err := openClassifier(r); err != nil {
			t.Fatal(err)
		}
		labels := r.config.Labels
		info := r.task.(*classifier).split.Info()
		for k, got := range r.task.(*classifier).weights {
			want := c.by(float64(info.Documents), float64(info.LabelCounts[labels[k]]), float64(len(labels)))
			if math.Abs(float64(got)-want) > 1e-6 {
				t.Errorf("%s: the weight of %s is %g, want %g", c.task, labels[k], got, want)
			}
		}
		if err := r.close(); err != nil {
			t.Fatal(err)
		}
	}
	plain := l.finetuning(l.path("data-classify"), "plain")
	want := l.result(Finetune(t.Context(), plain, l.env))
	for name, weights := range map[string]string{"ones": `{"a": 1, "b": 1, "c": 1}`, "uneven": `{"a": 0.1, "b": 3, "c": 1}`} {
		s := l.finetuning(l.path("data-classify"), name)
		s.ClassWeights = l.write(name+".json", weights)
		r := l.result(Finetune(t.Context(), s, l.env))
		if same := r.TrainLoss == want.TrainLoss; same != (name == "ones") {
			t.Errorf("weights %s: training loss %g, %g without", name, r.TrainLoss, want.TrainLoss)
		}
	}
}

// TestResumeRefusesOtherSettings: what would not give the run's bits is named.
func TestResumeRefusesOtherSettings(t *testing.T) {
	l := newLab(t)
	s := l.pretraining(l.prepare(data.LanguageModel), "run")
	l.result(Pretrain(t.Context(), s, l.env))
	s.Resume, s.Steps = true, 8
	for name, c := range map[string]struct {
		change func(s *Settings)
		want   []string
	}{
		"seed":          {func(s *Settings) { s.Seed = 9 }, []string{"seed 1", "9", "settings.yaml"}},
		"micro-batches": {func(s *Settings) { s.TokensPerStep = 200 }, []string{"1 micro-batches", "2", "settings.yaml"}},
		"batch":         {func(s *Settings) { s.Batch = 3 }, []string{"resume"}},
		"sequence":      {func(s *Settings) { s.Sequence = 16 }, []string{"resume"}},
		"model":         {func(s *Settings) { s.Model = "mini" }, []string{"resume", "transformer."}},
	} {
		other := s
		c.change(&other)
		_, err := Pretrain(t.Context(), other, l.env)
		if err == nil {
			t.Errorf("another %s: no error", name)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("another %s: %v; want it to say %q", name, err, w)
			}
		}
	}
	if r := l.result(Pretrain(t.Context(), s, l.env)); r.Step != 8 {
		t.Errorf("after the refusals the run goes to step %d, want 8", r.Step)
	}
}

// TestRecomputingTrainsTheSame: whatever backward computes again, the weights are the same bits, and a run may go on with another
// choice.
func TestRecomputingTrainsTheSame(t *testing.T) {
	l := newLab(t)
	s := l.pretraining(l.prepare(data.LanguageModel), "none")
	s.Dropout, s.TokensPerStep = 0.1, 256
	l.result(Pretrain(t.Context(), s, l.env))
	want := l.weights(s.Out)
	for _, how := range []string{"gelu", "block"} {
		s.Out, s.Recompute, s.Resume = l.path(how), how, false
		l.result(Pretrain(untilLogged{t.Context(), filepath.Join(s.Out, "metrics.jsonl"), "3"}, s, l.env))
		s.Recompute, s.Resume = "none", true
		l.result(Pretrain(t.Context(), s, l.env))
		if !maps.Equal(l.weights(s.Out), want) {
			t.Errorf("%s: other weights than without recomputation", how)
		}
	}
}

// TestSettingsAreChecked one by one, from defaults that pass.
func TestSettingsAreChecked(t *testing.T) {
	good := PretrainDefaults()
	good.Data, good.Out, good.Steps = "data", "out", 1
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(s *Settings){
		"--data":             func(s *Settings) { s.Data = "" },
		"--out":              func(s *Settings) { s.Out = "" },
		"--batch":            func(s *Settings) { s.Batch = 0 },
		"--seq":              func(s *Settings) { s.Sequence = 0 },
		"0 of --steps":       func(s *Settings) { s.Steps = 0 },
		"2 of --steps":       func(s *Settings) { s.Epochs = 1 },
		"steps -1":           func(s *Settings) { s.Steps, s.Epochs = -1, 1 },
		"--recompute":        func(s *Settings) { s.Recompute = "all" },
		"--tokens-per-step":  func(s *Settings) { s.TokensPerStep = -1 },
		"--dropout":          func(s *Settings) { s.Dropout = 1 },
		"dropout is NaN":     func(s *Settings) { s.Dropout = math.NaN() },
		"eval-every -1":      func(s *Settings) { s.EvalEvery = -1 },
		"--keep-last":        func(s *Settings) { s.KeepLast = 0 },
		"--lr":               func(s *Settings) { s.LearningRate = 0 },
		"learning rate is +": func(s *Settings) { s.LearningRate = math.Inf(1) },
		"--min-lr":           func(s *Settings) { s.MinLearningRate = 1 },
		"--warmup":           func(s *Settings) { s.Warmup = -1 },
		"beta1":              func(s *Settings) { s.Beta1 = 1 },
		"beta2":              func(s *Settings) { s.Beta2 = -0.1 },
		"epsilon":            func(s *Settings) { s.Epsilon = 0 },
		"weight decay":       func(s *Settings) { s.Decay = -1 },
		"clip":               func(s *Settings) { s.Clip = math.NaN() },
		"minutes":            func(s *Settings) { s.Steps, s.Minutes = 0, math.NaN() },
	} {
		s := good
		change(&s)
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
}

// TestSettingsReadBack: what settings.yaml holds is what was used.
func TestSettingsReadBack(t *testing.T) {
	for name, s := range map[string]Settings{"pretraining": PretrainDefaults(), "fine-tuning": FinetuneDefaults()} {
		s.Data, s.Out, s.Steps = "some data: with a colon", "out", 7
		path := filepath.Join(t.TempDir(), "settings.yaml")
		if err := s.write(path); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var got Settings
		if err := yaml.Unmarshal(text, &got); err != nil || got != s {
			t.Errorf("%s: %+v, want %+v; %v", name, got, s, err)
		}
		if has := slices.Contains(strings.Fields(string(text)), "sample-tokens:"); has != (name == "pretraining") {
			t.Errorf("%s: sample-tokens in the file: %v", name, has)
		}
	}
}
