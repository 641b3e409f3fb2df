package metric

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// sampleReport is a made-up run of n steps with everything a report can show.
func sampleReport(t *testing.T, n int64) Report {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	names := []string{"world", "sports", "business", "science and technology, the long name"}
	r := Report{
		Title:      "AG News, GPT-2 mini, fine-tuned",
		Subtitle:   "4 layers, 256 wide, 6,080 documents, 2 threads of an AMD EPYC, bf16",
		Settings:   []Setting{{"model", "mini"}, {"batch", "32"}, {"lr", "0.001"}, {"warmup", "100"}, {"data", "/data/" + strings.Repeat("long/", 20)}},
		Warnings:   []string{"12 documents were cut at 256 tokens"},
		Split:      "test",
		ClassNames: names,
		Log:        sampleLog(n, rng),
		Comparison: []Contender{
			{"GPT-2 mini, pretrained", "", []NamedScore{{"Accuracy", 0.912}, {"Macro F1", 0.911}}},
			{"GPT-2 mini, from scratch", "", []NamedScore{{"Accuracy", 0.871}, {"Macro F1", 0.868}}},
			{"n-gram baseline", "TF-IDF of word 1-2 grams + logistic regression: 6080 texts", []NamedScore{{"Accuracy", 0.897}, {"Macro F1", 0.895}}},
		},
		Mistakes: []Mistake{
			{"Oil prices fall below \x00 $45 <script>alert('x')</script> & \"more\"", "business", "world", 0.998},
			{"‮reversed‬ " + strings.Repeat("unbroken", 60), "sports", names[3], 0.97},
			{"体验2D巅峰 倚天屠龙记十大创新概览 😀 Z̸̡͎a̷͝l̵̈g̶o\xff", "science", "体育", 0.95},
		},
		Samples: []Sample{{500, "The ", "cat sat\non the mat."}, {1000, "KING:\n", strings.Repeat("Now is the winter of our discontent. ", 40)}},
	}
	c := NewClassification(len(names))
	for range 760 {
		target := rng.IntN(len(names))
		p := make([]float32, len(names))
		right := target
		if rng.Float64() < 0.15 {
			right = rng.IntN(len(names))
		}
		top := float32(0.4 + 0.6*math.Sqrt(rng.Float64()))
		for i := range p {
			p[i] = (1 - top) / float32(len(names)-1)
		}
		p[right] = top
		if err := c.Add(target, p); err != nil {
			t.Fatal(err)
		}
	}
	result := c.Result()
	r.Classification = &result
	return r
}

func sampleLog(n int64, rng *rand.Rand) (log []Record) {
	for s := int64(1); s <= n; s++ {
		loss := 1.9 + 3.6*math.Exp(-float64(s)/150) + 0.08*rng.NormFloat64()
		lr := 1e-3 * (0.55 + 0.45*math.Cos(math.Pi*float64(s)/float64(n))) * min(1, float64(s)/100)
		log = append(log, Record{Step: s, Tokens: s * 768, Split: "train", Loss: Number(loss), LearningRate: Number(lr),
			GradNorm: Number(0.4 + math.Abs(rng.NormFloat64())*math.Exp(-float64(s)/300)), Seconds: Number(float64(s) * 0.035),
			TokensPerSecond: Number(21500 + 400*rng.NormFloat64()), PeakShare: new(Number(0.43 + 0.01*rng.NormFloat64()))})
		if s%250 == 0 {
			log = append(log, Record{Step: s, Split: "valid", Loss: Number(1.95 + 3.4*math.Exp(-float64(s)/150)),
				Accuracy: new(Number(0.9 - 0.5*math.Exp(-float64(s)/300))), MacroF1: new(Number(0.89 - 0.55*math.Exp(-float64(s)/300)))})
		}
	}
	return log
}

func writeReport(t *testing.T, r Report) string {
	t.Helper()
	var b strings.Builder
	if err := WriteReport(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
