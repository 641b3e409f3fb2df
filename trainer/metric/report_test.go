package metric

import (
	"errors"
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
			{"\u202ereversed\u202c " + strings.Repeat("unbroken", 60), "sports", names[3], 0.97},
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

func TestReportShowsEverything(t *testing.T) {
	page := writeReport(t, sampleReport(t, 400))
	for _, want := range []string{
		"AG News, GPT-2 mini, fine-tuned", "12 documents were cut", "Training loss", "Best validation loss",
		"logarithmic steps", "Learning rate", "Gradient norm", "tokens a second", "of the machine&#39;s peak",
		"were given sports", "Calibration", "weighted average", "n-gram baseline",
		"&lt;script&gt;alert(&#39;x&#39;)", "␀", "体验2D巅峰", "Now is the winter", "680 more characters", "warmup",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// TestReportNeedsNothingElse looks for what would make a browser fetch, for
// text that escaped its quotes, and for what html/template refused.
func TestReportNeedsNothingElse(t *testing.T) {
	page := writeReport(t, sampleReport(t, 400))
	for _, bad := range []string{"http:", "https:", "<link", "@import", " src=", "url(", "<script>alert", "\u202e", "ZgotmplZ", "NaN", "Inf"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
}

func TestReportOfOddRuns(t *testing.T) {
	nan, inf := Number(math.NaN()), Number(math.Inf(1))
	odd := func(step int64, v Number) Record {
		return Record{Step: step, Split: "train", Loss: v, LearningRate: v, GradNorm: v, TokensPerSecond: v, Seconds: v,
			PeakShare: &v}
	}
	many := NewClassification(40)
	one := NewClassification(1)
	labels := NewMultiLabel(2, 0.5)
	for i := range 40 {
		p := make([]float32, 40)
		p[(i+1)%40] = 1
		if err := errors.Join(many.Add(i, p), one.Add(0, []float32{1}), labels.Add([]int32{0}, []float32{0.9, 0.2})); err != nil {
			t.Fatal(err)
		}
	}
	manyResult, oneResult, none := many.Result(), one.Result(), NewClassification(3).Result()
	labelsResult := labels.Result()
	for _, c := range []struct {
		name   string
		report Report
		want   string
	}{
		{"empty", Report{}, "<h1>Run</h1>"},
		{"no finite value", Report{Log: []Record{odd(1, nan), odd(2, inf)}}, "Training loss"},
		{"some not finite", Report{Log: []Record{odd(1, 2), odd(2, nan), odd(3, 1)}}, "1 of 3 values of “train” are not finite, the first at step 2"},
		{"speed that is not finite", Report{Log: []Record{odd(1, 2), odd(2, inf), odd(3, 1)}}, "1 of 3 values of “tokens/s” are not finite, the first at step 2"},
		{"one step", Report{Log: []Record{odd(1, 2)}}, "<path"},
		{"zeros", Report{Log: []Record{odd(0, 0), odd(0, 0)}}, "<path"},
		{"constant", Report{Log: []Record{odd(5, -3), odd(9, -3)}}, "<path"},
		{"largest numbers", Report{Log: []Record{odd(1, -math.MaxFloat64), odd(math.MaxInt64, math.MaxFloat64)}}, "<path"},
		{"smallest numbers", Report{Log: []Record{odd(1, math.SmallestNonzeroFloat64), odd(2, 1)}}, "<path"},
		{"many classes", Report{Classification: &manyResult}, "<td>class 3</td><td>class 4</td>"},
		{"one class", Report{Classification: &oneResult}, "40 of 40 documents of class 0"},
		{"no documents", Report{Classification: &none}, "0 of 0 documents"},
		{"several labels", Report{MultiLabel: &labelsResult, Log: []Record{odd(1, 1)}}, "Hamming loss"},
		{"unknown score", Report{Comparison: []Contender{{Name: "a", Scores: []NamedScore{{"F1", math.NaN()}}}, {Name: "b"}}}, "–"},
	} {
		t.Run(c.name, func(t *testing.T) {
			page := writeReport(t, c.report)
			if !strings.Contains(page, c.want) {
				t.Errorf("the page lacks %q", c.want)
			}
			for _, bad := range []string{"NaN", "Inf", "ZgotmplZ"} {
				if strings.Contains(page, bad) {
					t.Errorf("the page holds %q", bad)
				}
			}
		})
	}
}

// TestThinKeepsSpikes would lose the spike if points were merely skipped.
func TestThinKeepsSpikes(t *testing.T) {
	points := make([]point, 100_000)
	for i := range points {
		points[i] = point{int64(i), 1}
	}
	points[77_777].value, points[33_333].value = 99, -99
	kept := thin(points)
	if len(kept) > maxPoints {
		t.Errorf("%d points, want at most %d", len(kept), maxPoints)
	}
	low, high, _ := span([]curve{{points: kept}})
	if low != -99 || high != 99 {
		t.Errorf("values from %g to %g, want -99 to 99", low, high)
	}
}

func TestAxisTicks(t *testing.T) {
	for _, c := range []struct {
		name   string
		axis   axis
		format func(float64) string
		want   string
	}{
		{"steps", newAxis(0, 2000, false), formatStep, "0 500 1k 1.5k 2k"},
		{"loss", newValueAxis(1.6, 5.5), formatTick, "2 3 4 5"},
		{"learning rate", newValueAxis(1e-5, 6e-4), formatTick, "0 0.0002 0.0004 0.0006"},
		{"wide span", newValueAxis(0.5, 1e6), formatTick, "1 10 100 1000 10k 100k 1M"},
		{"logarithmic steps", newAxis(1, 2000, true), formatStep, "1 10 100 1k"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var labels []string
			last := -1.0
			for _, tick := range c.axis.ticks(c.format) {
				labels = append(labels, tick.Label)
				if tick.At <= last || tick.At > 100 {
					t.Errorf("tick at %g %% after %g %%", tick.At, last)
				}
				last = tick.At
			}
			if got := strings.Join(labels, " "); got != c.want {
				t.Errorf("ticks %q, want %q", got, c.want)
			}
		})
	}
}

func TestFormatFloat(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 1.2345678: "1.235", 0.00012346: "0.0001235", 1e-5: "1e-5", 1.23456e-7: "1.235e-7",
		12345678: "1.235e7", 99.999: "100.00", -2.5: "-2.500", math.Inf(1): absent} {
		if got := formatFloat(x, 4); got != want {
			t.Errorf("%g is %q, want %q", x, got, want)
		}
	}
}

// A run's first step has no speed yet, which is nothing to warn of, nor a speed of 0.
func TestReportOfFirstStep(t *testing.T) {
	log := sampleReport(t, 30).Log
	log[0].TokensPerSecond, log[0].PeakShare = 0, nil
	page := writeReport(t, Report{Log: log})
	if strings.Contains(page, "not finite") {
		t.Error("the page warns of the first step's speed")
	}
	if log[0].TokensPerSecond != 0 {
		t.Error("the report changed its log")
	}
}
