package trainer

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"atoll/engine/lower"
	"atoll/kernels"
	"atoll/kernels/cpu"
	"atoll/model"
	"atoll/model/bpe"
	"atoll/model/checkpoint"
	"atoll/model/predict"
	"atoll/trainer/data"
	"atoll/trainer/metric"
)

// testEnv computes in fp32 on one thread and shows nothing.
func testEnv(t *testing.T) Env {
	t.Helper()
	d, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return Env{Device: d, Precision: kernels.F32, Progress: metric.NewProgressLine(&strings.Builder{}, nil)}
}

// prepareTexts makes a data directory of CSV rows with the byte tokenizer.
func prepareTexts(t *testing.T, rows string, o data.Options) string {
	t.Helper()
	dir := t.TempDir()
	o.Inputs, o.Out = []string{filepath.Join(dir, "rows.csv")}, filepath.Join(dir, "data")
	if err := os.WriteFile(o.Inputs[0], []byte("text,label\n"+rows), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := data.Prepare(context.Background(), o, bpe.Bytes()); err != nil {
		t.Fatal(err)
	}
	return o.Out
}

// messages are rows of two classes that a look at one word tells apart.
func messages(n int) string {
	var rows strings.Builder
	for i := range n {
		fmt.Fprintf(&rows, "see you at %d,ham\nwin prize %d now,spam\nok %d,ham\n", i%12, i%7, i%5)
	}
	return rows.String()
}

// tinyConfig writes a config.json of one layer and gives its path.
func tinyConfig(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tiny.json")
	text := `{"model_type":"gpt2","vocab_size":257,"n_positions":32,"n_embd":16,"n_layer":1,"n_head":2,"bos_token_id":256,"eos_token_id":256}`
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// finetuned trains a tiny classifier and gives its settings.
func finetuned(t *testing.T, dir string, env Env) Settings {
	t.Helper()
	s := FinetuneDefaults()
	s.Data, s.Out, s.Model = dir, filepath.Join(t.TempDir(), "run"), tinyConfig(t)
	s.Epochs, s.Batch, s.Sequence, s.LearningRate, s.Warmup = 1, 8, 32, 2e-3, 1
	if _, err := Finetune(context.Background(), s, env); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestEvaluateCounts holds the scores against a plain count over the answers to each text.
func TestEvaluateCounts(t *testing.T) {
	env := testEnv(t)
	dir := prepareTexts(t, messages(40), data.Options{Task: data.Classify})
	run := finetuned(t, dir, env)
	reversed := prepareTexts(t, messages(40), data.Options{Task: data.Classify, Labels: []string{"spam", "ham"}})
	for _, dir := range []string{dir, reversed} {
		e, err := Evaluate(context.Background(), EvaluateSettings{Model: run.Out, Data: dir, Split: "valid", Baseline: true}, env)
		if err != nil {
			t.Fatal(err)
		}
		right, spam := countByHand(t, run.Out, dir, env)
		if got := e.Classification.Accuracy; math.Abs(got-right) > 1e-12 {
			t.Errorf("accuracy %g, want %g", got, right)
		}
		at := slices.Index(e.Labels, "spam")
		if got := e.Classification.Classes[at].Predicted; got != spam {
			t.Errorf("labels %v: %d documents are given spam, want %d", e.Labels, got, spam)
		}
		if e.Baseline == nil || e.Baseline.Classification.Accuracy != 1 {
			t.Errorf("baseline %+v, want accuracy 1 on texts that one word tells apart", e.Baseline)
		}
	}
}

// countByHand classifies the texts of the validation split one by one: the share that is right, and how many are given spam.
func countByHand(t *testing.T, run, dir string, env Env) (accuracy float64, spam int64) {
	t.Helper()
	m, err := predict.Load(run, env.Device, predict.Options{Precision: env.Precision})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	d, err := data.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	split, err := d.Split("valid")
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for i := range split.Documents() {
		text, err := documentText(split, m.Tokenizer, i)
		if err != nil {
			t.Fatal(err)
		}
		answers, err := m.Classify(context.Background(), []string{text})
		if err != nil {
			t.Fatal(err)
		}
		label := m.Labels()[answers[0].Best()]
		if label == "spam" {
			spam++
		}
		if truth := strings.HasPrefix(text, "win"); truth == (label == "spam") {
			right++
		}
	}
	return float64(right) / float64(split.Documents()), spam
}

// zeroModel writes a model whose weights are all zero: every token and every class is as likely as any other.
func zeroModel(t *testing.T, problem model.Problem, labels ...string) string {
	t.Helper()
	text, err := os.ReadFile(tinyConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	c, err := model.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	c.Labels, c.Problem = labels, problem
	tokenizer, err := bpe.Bytes().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	s := checkpoint.Snapshot{Config: c, Files: map[string][]byte{"tokenizer.json": tokenizer}}
	for _, p := range c.Params() {
		s.Weights = append(s.Weights, checkpoint.Float32(p.Name, p.Shape, make([]float32, p.Len())))
	}
	dir := filepath.Join(t.TempDir(), "zero")
	if err := checkpoint.Export(dir, s); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestEvaluateLanguageModel: where all 257 tokens are equally likely, each costs ln 257 nats.
func TestEvaluateLanguageModel(t *testing.T) {
	dir := prepareTexts(t, messages(20), data.Options{Task: data.LanguageModel})
	e, err := Evaluate(context.Background(), EvaluateSettings{Model: zeroModel(t, model.LanguageModel), Data: dir, Split: "valid"}, testEnv(t))
	if err != nil {
		t.Fatal(err)
	}
	d, err := data.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	info := d.Manifest.Splits["valid"]
	targets := info.Tokens - 1 // the first token has nothing before it
	bits := float64(targets) * math.Log2(257) / float64(info.Bytes)
	l := e.Language
	if e.Tokens != targets || math.Abs(l.Loss-math.Log(257)) > 1e-5 || math.Abs(l.Perplexity-257) > 1e-2 || math.Abs(l.BitsPerByte-bits) > 1e-4 {
		t.Errorf("got %d tokens, %+v; want %d tokens, loss %g, perplexity 257, %g bits a byte", e.Tokens, *l, targets, math.Log(257), bits)
	}
}

// TestEvaluateSeveralLabels: a zero model gives every label the probability 0.5, which counts as given.
func TestEvaluateSeveralLabels(t *testing.T) {
	dir := prepareTexts(t, strings.Repeat("good,\"a,b\"\nbad,a\nodd,\"b\"\n", 10), data.Options{Task: data.MultiLabel})
	e, err := Evaluate(context.Background(), EvaluateSettings{Model: zeroModel(t, model.MultiLabel, "b", "a"), Data: dir, Split: "test", Baseline: true}, testEnv(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range e.Mistakes {
		if m.Predicted != "a, b" || m.Probability != 0.5 {
			t.Errorf("mistake %+v, want both labels given at 0.5", m)
		}
	}
	both := 1 - float64(len(e.Mistakes))/float64(e.Documents)
	if got := e.MultiLabel.SubsetAccuracy; math.Abs(got-both) > 1e-12 || e.MultiLabel.Micro.Recall != 1 {
		t.Errorf("subset accuracy %g, recall %g; want %g and 1", got, e.MultiLabel.Micro.Recall, both)
	}
	if e.Baseline.MultiLabel.Micro.F1 != 1 {
		t.Errorf("baseline's micro F1 is %g, want 1 on texts it has seen", e.Baseline.MultiLabel.Micro.F1)
	}
}

func TestEvaluateRefuses(t *testing.T) {
	env := testEnv(t)
	labelled := prepareTexts(t, messages(10), data.Options{Task: data.Classify})
	noTest := prepareTexts(t, messages(10), data.Options{Task: data.Classify, Split: data.SplitRule{Fractions: [3]float64{0.9, 0.1, 0}}})
	plain := prepareTexts(t, messages(10), data.Options{Task: data.LanguageModel})
	classifier := zeroModel(t, model.SingleLabel, "ham", "spam")
	otherTokens := zeroModel(t, model.SingleLabel, "ham", "spam")
	tokenizer, err := bpe.Train(context.Background(), func(yield func(string, error) bool) { yield("abab", nil) }, bpe.TrainOptions{VocabSize: 257})
	if err != nil {
		t.Fatal(err)
	}
	if err := tokenizer.Save(otherTokens); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, model, data, split string
		sequence                 int
		want                     []string
	}{
		{"other labels", zeroModel(t, model.SingleLabel, "ham", "junk"), labelled, "test", 0, []string{`["ham" "junk"]`, `["ham" "spam"]`, "--labels"}},
		{"more labels", zeroModel(t, model.SingleLabel, "ham", "spam", "junk"), labelled, "test", 0, []string{"has 3", "2, "}},
		{"several labels", zeroModel(t, model.MultiLabel, "ham", "spam"), labelled, "test", 0, []string{"multilabel", "--task multilabel"}},
		{"no labels", classifier, plain, "test", 0, []string{"task lm", "--task classify"}},
		{"empty split", classifier, noTest, "test", 0, []string{"empty", "--split"}},
		{"unknown split", classifier, labelled, "train", 0, []string{"valid or test"}},
		{"long sequence", classifier, labelled, "test", 33, []string{"33 tokens", "32 positions"}},
		{"no data", classifier, filepath.Join(labelled, "gone"), "test", 0, []string{"atoll prepare"}},
		{"other tokenizer", otherTokens, labelled, "test", 0, []string{"okenizer", "--tokenizer"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Evaluate(context.Background(), EvaluateSettings{Model: c.model, Data: c.data, Split: c.split, Sequence: c.sequence}, env)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
		})
	}
}

// TestInt8KeepsTheAnswers holds a trained classifier's scores in int8 against those in fp32: close, and the same label but for ties.
func TestInt8KeepsTheAnswers(t *testing.T) {
	env := testEnv(t)
	dir := prepareTexts(t, messages(400), data.Options{Task: data.Classify})
	run := finetuned(t, dir, env)
	var texts []string
	for line := range strings.Lines(messages(12)) {
		text, _, _ := strings.Cut(line, ",")
		texts = append(texts, text, strings.ToUpper(text), text+" "+text)
	}
	answers := func(packing lower.Packing) []predict.Prediction {
		m, err := predict.Load(run.Out, env.Device, predict.Options{Precision: kernels.F32, Packing: packing})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		all, err := m.Classify(context.Background(), texts)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	const close = 0.01
	exact, whole := answers(lower.Unpacked), answers(lower.PackInt8)
	worst := 0.0
	for i := range exact {
		for k, score := range exact[i].Scores {
			worst = max(worst, math.Abs(float64(score-whole[i].Scores[k])))
		}
		if margin := math.Abs(float64(exact[i].Scores[0] - exact[i].Scores[1])); margin > 2*close && exact[i].Best() != whole[i].Best() {
			t.Errorf("%q: scores %v in fp32, %v in int8", texts[i], exact[i].Scores, whole[i].Scores)
		}
	}
	if worst > close {
		t.Errorf("a score is off by %g in int8, want at most %g", worst, close)
	}
	env.Packing = lower.PackInt8
	e, err := Evaluate(context.Background(), EvaluateSettings{Model: run.Out, Data: dir, Split: "valid"}, env)
	if err != nil {
		t.Fatal(err)
	}
	env.Packing = lower.Unpacked
	want, err := Evaluate(context.Background(), EvaluateSettings{Model: run.Out, Data: dir, Split: "valid"}, env)
	if err != nil || math.Abs(e.Classification.Accuracy-want.Classification.Accuracy) > 0.03 {
		t.Errorf("accuracy %g in int8, %g in fp32, %v", e.Classification.Accuracy, want.Classification.Accuracy, err)
	}
}
