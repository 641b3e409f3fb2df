package server

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"atoll/kernels"
	"atoll/kernels/cpu"
	"atoll/model"
	"atoll/model/bpe"
	"atoll/model/checkpoint"
	"atoll/model/predict"
)

// exportTiny writes a classifier of random weights, far enough from 0 that its answers differ, and gives its directory.
func exportTiny(t *testing.T, problem model.Problem) string {
	t.Helper()
	c, err := model.Named("mini")
	if err != nil {
		t.Fatal(err)
	}
	tokenizer := bpe.Bytes()
	c.Vocab, c.Positions, c.Width, c.Layers, c.Heads, c.Inner = tokenizer.VocabSize(), 48, 16, 2, 2, 64
	c.EndOfText, c.InitRange = int(tokenizer.EndOfText()), 0.4
	c.Problem, c.Labels = problem, []string{"体育", "<b> & \"c\"", "x"}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	text, err := tokenizer.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	snapshot := checkpoint.Snapshot{Config: c, Files: map[string][]byte{"tokenizer.json": text}}
	for _, p := range c.Params() {
		values := make([]float32, p.Len())
		if err := model.Initialize(p, 1, values); err != nil {
			t.Fatal(err)
		}
		snapshot.Weights = append(snapshot.Weights, checkpoint.Float32(p.Name, p.Shape, values))
	}
	dir := filepath.Join(t.TempDir(), "tiny")
	if err := checkpoint.Export(dir, snapshot); err != nil {
		t.Fatal(err)
	}
	return dir
}

func loadTiny(t *testing.T, problem model.Problem) *predict.Model {
	t.Helper()
	d, err := cpu.New(cpu.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	m, err := predict.Load(exportTiny(t, problem), d, predict.Options{Precision: kernels.F32})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// mixedTexts are of lengths from 1 to beyond what the model reads, in several scripts.
func mixedTexts(n int) []string {
	parts := []string{"a", "free prize ", "你好", "😀", "مرحبا ", "<script>", "\n"}
	texts := make([]string, n)
	for i := range texts {
		texts[i] = fmt.Sprint(i) + strings.Repeat(parts[i%len(parts)], i*7%23)
	}
	return texts
}

// What a client reads is bit for bit what predict.Model.Classify gives for each text alone, whatever other requests it
// was batched with.
func TestAnswersEqualClassify(t *testing.T) {
	for _, problem := range []model.Problem{model.SingleLabel, model.MultiLabel} {
		t.Run(problem.String(), func(t *testing.T) {
			m := loadTiny(t, problem)
			texts := mixedTexts(120)
			want := make([]predict.Prediction, len(texts))
			for i, text := range texts {
				alone, err := m.Classify(context.Background(), []string{text})
				if err != nil {
					t.Fatal(err)
				}
				want[i] = alone[0]
			}
			r := start(t, DefaultLimits(), Model{Name: "tiny", Labels: m.Labels(), Problem: problem, MaxTokens: m.Config.Positions, Classifier: m}).ready()
			var clients sync.WaitGroup
			for begin, size := 0, 1; begin < len(texts); begin, size = begin+size, size%7+1 {
				end := min(begin+size, len(texts))
				clients.Go(func() {
					wantPredictions(t, <-r.classifyTexts(context.Background(), texts[begin:end]...), m, want[begin:end])
				})
			}
			clients.Wait()
		})
	}
}

// wantPredictions holds an answer against predictions, bit for bit.
func wantPredictions(t *testing.T, got reply, m *predict.Model, want []predict.Prediction) {
	var body struct {
		Data []struct {
			Index     int
			Label     string
			Score     float64
			Labels    []string
			Scores    map[string]float64
			Truncated bool
		}
		Usage struct{ Tokens int }
	}
	if err := json.Unmarshal([]byte(got.body), &body); err != nil || len(body.Data) != len(want) {
		t.Errorf("status %d, %s: %v, want %d results", got.status, got.body, err, len(want))
		return
	}
	tokens := 0
	for i, p := range want {
		d := body.Data[i]
		tokens += p.Tokens
		var above []string
		for k, label := range m.Labels() {
			if math.Float32bits(float32(d.Scores[label])) != math.Float32bits(p.Scores[k]) {
				t.Errorf("score of %s: got %v, want %v", label, d.Scores[label], p.Scores[k])
			}
			if p.Scores[k] >= 0.5 {
				above = append(above, label)
			}
		}
		if m.Config.Problem == model.SingleLabel {
			if d.Label != m.Labels()[p.Best()] || float32(d.Score) != p.Scores[p.Best()] {
				t.Errorf("got label %s with %v, want %s with %v", d.Label, d.Score, m.Labels()[p.Best()], p.Scores[p.Best()])
			}
		} else if strings.Join(d.Labels, "|") != strings.Join(above, "|") {
			t.Errorf("got labels %v, want %v", d.Labels, above)
		}
		if d.Index != i || d.Truncated != p.Truncated {
			t.Errorf("got index %d, truncated %v, want %d, %v", d.Index, d.Truncated, i, p.Truncated)
		}
	}
	if body.Usage.Tokens != tokens {
		t.Errorf("got %d tokens, want %d", body.Usage.Tokens, tokens)
	}
}
