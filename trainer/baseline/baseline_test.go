package baseline

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// collect returns the terms of text in order.
func collect(unit Unit, text string) (terms []string) {
	a := &analyzer{unit: unit}
	a.terms(text, func(term []byte) { terms = append(terms, string(term)) })
	return terms
}

// TestTerms compares with CountVectorizer(ngram_range=(1, 2)).build_analyzer()
// of scikit-learn 1.9.1, whose n-grams were sorted by position here.
func TestTerms(t *testing.T) {
	for _, c := range []struct {
		unit Unit
		text string
		want []string
	}{
		{Words, "It's a U.S. Über_tür, 3x!", []string{"it", "it über_tür", "über_tür", "über_tür 3x", "3x"}},
		{Words, "a b c", nil},
		{Words, "", nil},
		{Words, "café naïve", []string{"café", "café naïve", "naïve"}},
		{Words, "ok\xffok", []string{"ok", "ok ok", "ok"}},
		{Characters, "猫 Is", []string{"猫", "猫 ", " ", " i", "i", "is", "s"}},
		{Characters, "a\n\t b", []string{"a", "a ", " ", " b", "b"}},
		{Characters, "a\nb", []string{"a", "a\n", "\n", "\nb", "b"}},
		{Characters, "", nil},
	} {
		if got := collect(c.unit, c.text); !slices.Equal(got, c.want) {
			t.Errorf("%s terms of %q are %q, want %q", c.unit, c.text, got, c.want)
		}
	}
}

func TestUnspacedShare(t *testing.T) {
	for _, c := range []struct {
		texts []string
		want  float64
	}{
		{[]string{"only English", "1234 !?"}, 0},
		{[]string{"今天", "です"}, 1},
		{[]string{"abc 猫"}, 0.25},
		{[]string{"한국어"}, 0}, // Korean has spaces
		{[]string{"123 ..."}, 0},
		{nil, 0},
	} {
		if got := unspacedShare(c.texts); got != c.want {
			t.Errorf("share of %q is %g, want %g", c.texts, got, c.want)
		}
	}
}

// manyTexts are n documents of two classes with words of very unequal counts.
func manyTexts(n int) (texts []string, labels [][]int32) {
	for i := range n {
		words := []string{[]string{"apple", "berry"}[i%2]}
		for j := range 6 {
			words = append(words, fmt.Sprintf("w%d", (i*7919+j*j*31)%(20<<j)))
		}
		texts = append(texts, strings.Join(words, " "))
		labels = append(labels, []int32{int32(i % 2)})
	}
	return texts, labels
}

func TestMaxFeatures(t *testing.T) {
	texts, labels := manyTexts(100)
	m, err := Fit(context.Background(), texts, labels, 2, Options{MaxFeatures: 2})
	if err != nil {
		t.Fatal(err)
	}
	if f := m.vocabulary.feature; len(f) != 2 || f["apple"] != 0 || f["berry"] != 1 {
		t.Errorf("kept %v, want the most frequent: apple, berry", f)
	}
	if d := m.Describe(); !strings.Contains(d, "cap of 2 features") {
		t.Errorf("the cap is not reported: %s", d)
	}
	if p := m.Scores("apple"); !(p[0] > 0.9) {
		t.Errorf("apple is of class 0 by %g, want more than 0.9", p[0])
	}
}

// TestForgettingRareTerms counts four frequent words among thousands that
// occur once, with room for 50, and asks for exact document counts.
func TestForgettingRareTerms(t *testing.T) {
	var texts []string
	for i := range 1000 {
		text := fmt.Sprintf("n%d often n%d often", i, 5000+i)
		if i%3 == 0 {
			text += fmt.Sprintf(" x%d third", i)
		}
		if i%5 == 0 {
			text += fmt.Sprintf(" y%d fifth", i)
		}
		if i == 0 || i >= 700 {
			text += fmt.Sprintf(" z%d late", i) // the first is forgotten, yet must count
		}
		texts = append(texts, text)
	}
	v, err := buildVocabulary(context.Background(), texts, Words, 4, 50)
	if err != nil {
		t.Fatal(err)
	}
	if !v.lossy {
		t.Fatal("nothing was forgotten: the test needs more terms")
	}
	for term, want := range map[string]int32{"often": 1000, "third": 334, "late": 301, "fifth": 200} {
		if f, ok := v.feature[term]; !ok || v.df[f] != want {
			t.Errorf("%q: kept %t, in %d documents, want %d", term, ok, v.df[f], want)
		}
	}
}

// TestMergedColumnsGiveTheSameModel fits with and without the merging of
// features that one document has alone.
func TestMergedColumnsGiveTheSameModel(t *testing.T) {
	texts, labels := manyTexts(40)
	v, err := buildVocabulary(context.Background(), texts, Words, 1000, 1000)
	if err != nil {
		t.Fatal(err)
	}
	options := Options{Tolerance: 1e-10}.withDefaults()
	weights := func() []float64 {
		data, err := buildMatrix(context.Background(), texts, v)
		if err != nil {
			t.Fatal(err)
		}
		targets := make([]int32, len(labels))
		for i := range labels {
			targets[i] = labels[i][0]
		}
		result, err := newSolver(newObjective(data, 1, targets, options)).solve(context.Background(), options.Tolerance, 500)
		if err != nil || !result.converged {
			t.Fatalf("error %v, converged %t", err, result.converged)
		}
		w := make([]float64, len(v.df))
		for f, column := range data.column {
			w[f] = result.w[column] * float64(data.scale[f])
		}
		return w
	}
	merged := weights()
	lone := 0
	for f := range v.df {
		if v.df[f] == 1 {
			lone++
			v.df[f] = 2 // numberShared then gives it a column
		}
	}
	if lone == 0 {
		t.Fatal("no feature was merged: the test needs one")
	}
	for f, w := range weights() {
		if math.Abs(w-merged[f]) > 1e-6 {
			t.Errorf("feature %d weighs %g alone, %g merged", f, w, merged[f])
		}
	}
}

// TestGradient holds the objective's gradient to central differences.
func TestGradient(t *testing.T) {
	texts, labels := manyTexts(20)
	v, err := buildVocabulary(context.Background(), texts, Words, 1000, 1000)
	if err != nil {
		t.Fatal(err)
	}
	data, err := buildMatrix(context.Background(), texts, v)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []int{1, 3} {
		targets := make([]int32, len(labels))
		for i := range targets {
			targets[i] = int32(i % max(k, 2))
		}
		o := newObjective(data, k, targets, Options{C: 2, Threads: 1})
		n := (data.columns + 1) * k
		w, g := make([]float64, n), make([]float64, n)
		for i := range w {
			w[i] = math.Sin(float64(i))
		}
		z, r := make([]float64, data.rows*k), make([]float64, data.rows*k)
		value := func() float64 {
			data.multiply(w, k, 1, z)
			loss := o.residual(z, r)
			for _, u := range w[:data.columns*k] {
				loss += o.ridge / 2 * u * u
			}
			return loss
		}
		value()
		o.gradient(w, r, g)
		for i := range w {
			const h = 1e-5
			at := w[i]
			w[i] = at + h
			above := value()
			w[i] = at - h
			below := value()
			w[i] = at
			if want := (above - below) / (2 * h); math.Abs(g[i]-want) > 1e-8 {
				t.Errorf("k %d: gradient %d is %g, want %g", k, i, g[i], want)
			}
		}
	}
}

func TestOneClassOnly(t *testing.T) {
	m, err := Fit(context.Background(), []string{"some words", "more words"}, [][]int32{{1}, {1}}, 3, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Scores("anything"); !slices.Equal(got, []float32{0, 1, 0}) {
		t.Errorf("scores %v, want all on class 1", got)
	}
	if d := m.Describe(); !strings.Contains(d, "2 classes without a training text") {
		t.Errorf("missing classes are not reported: %s", d)
	}
}

func TestLabelsThatAllTextsHave(t *testing.T) {
	m, err := Fit(context.Background(), []string{"red words", "blue words", "grey words"},
		[][]int32{{0, 1}, {0, 0}, {0}}, 3, Options{MultiLabel: true})
	if err != nil {
		t.Fatal(err)
	}
	got := m.Scores("red")
	if got[0] != 1 || got[1] <= 0.5 || got[2] != 0 {
		t.Errorf("scores %v, want 1, more than a half, 0", got)
	}
}

func TestFitRefuses(t *testing.T) {
	one, two := [][]int32{{0}}, [][]int32{{0}, {1}}
	for _, c := range []struct {
		name    string
		texts   []string
		labels  [][]int32
		classes int
		options Options
		want    string
	}{
		{"no texts", nil, nil, 2, Options{}, "no training texts"},
		{"labels missing", []string{"aa", "bb"}, one, 2, Options{}, "2 texts with 1 sets of labels"},
		{"class out of range", []string{"aa", "bb"}, two, 1, Options{}, "text 1 has class 1, want 0 to 0"},
		{"no class", []string{"aa"}, [][]int32{{}}, 2, Options{}, "text 0 has 0 labels, want exactly 1"},
		{"two classes", []string{"aa"}, [][]int32{{0, 1}}, 2, Options{}, "set MultiLabel"},
		{"no classes", []string{"aa"}, one, 0, Options{}, "0 classes, want at least 1"},
		{"blank texts", []string{" ", "\n"}, two, 2, Options{}, "no word n-gram in 2 texts"},
		{"C", []string{"aa"}, one, 2, Options{C: math.NaN()}, "C is NaN"},
		{"tolerance", []string{"aa"}, one, 2, Options{Tolerance: -1}, "tolerance -1"},
		{"features", []string{"aa"}, one, 2, Options{MaxFeatures: -1}, "-1 features"},
		{"threads", []string{"aa"}, one, 2, Options{Threads: -1}, "on -1 threads"},
		{"unit", []string{"aa"}, one, 2, Options{Unit: 9}, "unit 9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := Fit(context.Background(), c.texts, c.labels, c.classes, c.options)
			if err == nil || m != nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("model %v, error %v, want one with %q", m, err, c.want)
			}
		})
	}
}

func TestFitStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	texts, labels := manyTexts(10)
	if _, err := Fit(ctx, texts, labels, 2, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

// TestIterationsRunOut asks that an unfinished fit says so and still scores.
func TestIterationsRunOut(t *testing.T) {
	texts, labels := manyTexts(50)
	m, err := Fit(context.Background(), texts, labels, 2, Options{MaxIterations: 1})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(m.Describe(), "; not converged") {
		t.Errorf("not reported: %s", m.Describe())
	}
	if p := m.Scores("berry"); math.Abs(float64(p[0]+p[1])-1) > 1e-6 {
		t.Errorf("scores %v do not sum to 1", p)
	}
}
