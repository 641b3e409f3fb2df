package trainer

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"atoll/kernels"
	"atoll/trainer/data"
	"atoll/trainer/metric"
	"atoll/trainer/optim"
)

// half is a lab that trains in fp16 with the given scaling, and what its runs print.
func half(t *testing.T, s optim.Scaling) (lab, *strings.Builder) {
	l, printed := newLab(t), &strings.Builder{}
	l.env.Precision, l.env.scaling, l.env.Progress = kernels.F16, s, metric.NewProgressLine(printed, nil)
	return l, printed
}

// scales are the loss scales that a run used, step by step, and which steps it skipped.
func (l lab) scales(out string) (scales []float64, skipped []bool) {
	l.Helper()
	before := 0.0
	for _, r := range l.records(out, "train") {
		if r.LossScale == nil || r.Skipped == nil || math.IsNaN(float64(r.Loss)) {
			l.Fatalf("step %d: %+v, want a loss, its scale and the count of skipped steps", r.Step, r)
		}
		skip := float64(*r.Skipped) > before
		if skip != math.IsNaN(float64(r.GradNorm)) {
			l.Errorf("step %d: gradient norm %v, skipped: %v", r.Step, r.GradNorm, skip)
		}
		before = float64(*r.Skipped)
		scales, skipped = append(scales, float64(*r.LossScale)), append(skipped, skip)
	}
	return scales, skipped
}

// TestOverflowSkipsAndHalves begins at a scale at which every gradient overflows. Each step until the scale fits is skipped
// and halves it; from then on it doubles after each interval, and falls again where that is too much.
func TestOverflowSkipsAndHalves(t *testing.T) {
	scaling := optim.Scaling{First: 1 << 40, Interval: 4}
	l, printed := half(t, scaling)
	s := l.pretraining(l.prepare(data.LanguageModel), "run")
	s.Steps, s.EvalEvery = 50, 50
	r := l.result(Pretrain(t.Context(), s, l.env))
	scales, skipped := l.scales("run")
	want, good, skips, grown := scaling.First, 0, 0, 0
	for n, scale := range scales {
		if scale != want {
			t.Fatalf("step %d has scale %g, want %g", n+1, scale, want)
		}
		if skipped[n] {
			want, good, skips = want/2, 0, skips+1
			continue
		}
		if good++; good == scaling.Interval {
			want, good, grown = 2*want, 0, grown+1
		}
	}
	if len(scales) != 50 || !skipped[0] || !skipped[1] || skips < 10 || grown < 2 {
		t.Errorf("%d steps, %d skipped, the scale doubled %d times: want 50, many at the beginning, several; scales %v", len(scales), skips, grown, scales)
	}
	if got := strings.Count(printed.String(), ": skipped, "); got != skips ||
		!strings.Contains(printed.String(), "step 2: skipped, its gradients overflow fp16 at loss scale 549755813888; the scale is 274877906944 now\n") {
		t.Errorf("%d lines about %d skipped steps:\n%s", got, skips, printed)
	}
	if float64(r.TrainLoss) > 5 {
		t.Errorf("loss %v after %d steps, want one that has fallen", r.TrainLoss, 50-skips)
	}
}

// TestSkippedStepsChangeNothing but the position in the data and the scale: weights and moments stay, bit for bit.
func TestSkippedStepsChangeNothing(t *testing.T) {
	l, _ := half(t, optim.Scaling{First: 1 << 40, Interval: 4})
	s := l.pretraining(l.prepare(data.LanguageModel), "run")
	s.Steps, s.SaveEvery, s.KeepLast, s.TokensPerStep = 3, 1, 5, 256
	l.result(Pretrain(t.Context(), s, l.env))
	if _, skipped := l.scales("run"); !skipped[0] || !skipped[1] || !skipped[2] {
		t.Fatalf("skipped: %v, want all", skipped)
	}
	for _, name := range []string{"model.safetensors", "optimizer.safetensors"} {
		first, last := l.read("run", "checkpoints", "step-00000001", name), l.read("run", "checkpoints", "step-00000003", name)
		if first != last || len(first) < 1000 {
			t.Errorf("%s, %d bytes, changed in skipped steps", name, len(first))
		}
	}
	var state struct {
		LossScale optim.LossScale `json:"loss_scale"`
	}
	if err := json.Unmarshal([]byte(l.read("run", "checkpoints", "step-00000003", "state.json")), &state); err != nil {
		t.Fatal(err)
	}
	if want := (optim.LossScale{Scale: 1 << 37, Skipped: 3}); state.LossScale != want {
		t.Errorf("state.json has %+v, want %+v", state.LossScale, want)
	}
}

func (l lab) read(name ...string) string {
	l.Helper()
	text, err := os.ReadFile(l.path(name...))
	if err != nil {
		l.Fatal(err)
	}
	return string(text)
}

// TestResumeKeepsTheScale stops a run between two doublings, while it overflows and while it does not, and holds the resumed
// runs' weights, moments and scales against a run at once.
func TestResumeKeepsTheScale(t *testing.T) {
	l, _ := half(t, optim.Scaling{First: 1 << 40, Interval: 4})
	whole := l.pretraining(l.prepare(data.LanguageModel), "whole")
	whole.Steps, whole.EvalEvery, whole.Dropout = 40, 40, 0.1
	l.result(Pretrain(t.Context(), whole, l.env))
	want, _ := l.scales("whole")
	for _, step := range []string{"7", "26", "35"} {
		s := whole
		s.Out = l.path("stopped-" + step)
		r := l.result(Pretrain(untilLogged{t.Context(), filepath.Join(s.Out, "metrics.jsonl"), step}, s, l.env))
		if !r.Interrupted {
			t.Fatalf("%+v, want an interruption", r)
		}
		s.Resume = true
		l.result(Pretrain(t.Context(), s, l.env))
		got, _ := l.scales("stopped-" + step)
		for n := range want {
			if len(got) != len(want) || got[n] != want[n] {
				t.Fatalf("stopped at step %s: scales %v, at once %v", step, got, want)
			}
		}
		for _, name := range []string{"model.safetensors", "optimizer.safetensors"} {
			if l.read("stopped-"+step, "checkpoints", "step-00000040", name) != l.read("whole", "checkpoints", "step-00000040", name) {
				t.Errorf("stopped at step %s: %s differs from that of a run at once", step, name)
			}
		}
	}
}

// TestHalfMatchesFloat: training in fp16 with a scale gives fp32's losses and gradient norms within half precision's error,
// pretraining and fine-tuning. In fp32 and bf16 nothing is scaled.
func TestHalfMatchesFloat(t *testing.T) {
	l, printed := half(t, optim.Scaling{})
	for _, task := range []data.Task{data.LanguageModel, data.Classify} {
		losses, from := map[kernels.DType][]metric.Record{}, l.prepare(task)
		for _, precision := range []kernels.DType{kernels.F32, kernels.F16} {
			env, out := l.env, string(task)+precision.String()
			env.Precision = precision
			if task == data.LanguageModel {
				s := l.pretraining(from, out)
				s.Steps, s.EvalEvery, s.Epsilon, s.Clip = 60, 60, 1e-2, 0 // so that an update depends on its gradient's size
				l.result(Pretrain(t.Context(), s, env))
			} else {
				s := l.finetuning(from, out)
				s.Steps, s.Dropout, s.Epsilon, s.Clip = 60, 0, 1e-2, 0
				l.result(Finetune(t.Context(), s, env))
			}
			losses[precision] = l.records(out, "train")
		}
		for n, want := range losses[kernels.F32] {
			got := losses[kernels.F16][n]
			if e := math.Abs(float64(got.Loss - want.Loss)); !(e < 5e-3) {
				t.Errorf("%s, step %d: loss %v in fp16, %v in fp32", task, n+1, got.Loss, want.Loss)
			}
			if e := math.Abs(float64(got.GradNorm/want.GradNorm) - 1); !(e < 0.02) {
				t.Errorf("%s, step %d: gradient norm %v in fp16, %v in fp32", task, n+1, got.GradNorm, want.GradNorm)
			}
			if want.LossScale != nil || got.LossScale == nil || *got.LossScale != 65536 {
				t.Errorf("%s, step %d: loss scale %v in fp32, %v in fp16, want none and 65536", task, n+1, want.LossScale, got.LossScale)
			}
		}
	}
	if strings.Contains(printed.String(), "skipped") {
		t.Errorf("steps were skipped:\n%s", printed)
	}
}

// TestScaleThatFallsTooLow: gradients that overflow at any scale end the run, and a loss that is no number does at once.
func TestScaleThatFallsTooLow(t *testing.T) {
	l, _ := half(t, optim.Scaling{First: 4, Interval: 4})
	s := l.pretraining(l.prepare(data.LanguageModel), "run")
	l.env.Device = overflowing{l.env.Device}
	_, err := Pretrain(t.Context(), s, l.env)
	if err == nil || !strings.Contains(err.Error(), "step 3: gradients overflow fp16 without any scaling") || !strings.Contains(err.Error(), "--precision bf16") {
		t.Errorf("%v, want the end at the third step", err)
	}
	l, _ = half(t, optim.Scaling{})
	s = l.pretraining(l.prepare(data.LanguageModel), "run")
	s.LearningRate, s.Clip, s.Warmup, s.Steps = 1e30, 0, 0, 10
	if _, err = Pretrain(t.Context(), s, l.env); err == nil || !strings.Contains(err.Error(), "step 2: loss is NaN") {
		t.Errorf("%v, want the end at the loss that is no number", err)
	}
}

// overflowing is a device whose gradients always have an infinite norm.
type overflowing struct{ kernels.Device }

func (d overflowing) NewProgram(calls []kernels.Call, segments []kernels.Buffer) (kernels.Program, error) {
	p, err := d.Device.NewProgram(calls, segments)
	for _, c := range calls {
		if c.Kernel == kernels.GradNorm {
			at := c.Args[0]
			return infinite{p, kernels.Float32s(segments[at.Segment()].Bytes()[at.Offset():])}, err
		}
	}
	return p, err
}

type infinite struct {
	kernels.Program
	norm []float32
}

func (p infinite) Run() error {
	err := p.Program.Run()
	p.norm[0] = float32(math.Inf(1))
	return err
}
