package metric

import (
	"encoding/json"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
)

// reference is one case of testdata/classification.json or multilabel.json,
// made with scikit-learn by testdata/make_classification.py.
type reference struct {
	Name          string          `json:"name"`
	Classes       int             `json:"classes"`
	Threshold     float32         `json:"threshold"`
	Targets       json.RawMessage `json:"targets"`
	Probabilities [][]float32     `json:"probabilities"`

	Accuracy       float64      `json:"accuracy"`
	SubsetAccuracy float64      `json:"subset_accuracy"`
	HammingLoss    float64      `json:"hamming_loss"`
	LogLoss        float64      `json:"log_loss"`         // in float64
	SklearnLogLoss float64      `json:"sklearn_log_loss"` // in float32, as the probabilities
	ECE            float64      `json:"ece"`
	Reliability    [][2]float64 `json:"reliability"` // confidence, accuracy of bins not empty
	PerClass       [][4]float64 `json:"per_class"`   // precision, recall, F1, support
	Confusion      [][]int64    `json:"confusion"`
	Macro          [3]float64   `json:"macro"`
	Micro          [3]float64   `json:"micro"`
	Weighted       [3]float64   `json:"weighted"`
}

func readReferences(t *testing.T, path string) (cases []reference) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

// near reports figures that differ by more than rounding in float64.
func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-12) {
		t.Errorf("%s is %.15g, want %.15g", what, got, want)
	}
}

func (r reference) check(t *testing.T, macro, micro, weighted Average, classes []ClassScore, bins []Bin) {
	t.Helper()
	for _, a := range []struct {
		name string
		got  Average
		want [3]float64
	}{{"macro", macro, r.Macro}, {"micro", micro, r.Micro}, {"weighted", weighted, r.Weighted}} {
		near(t, a.name+" precision", a.got.Precision, a.want[0])
		near(t, a.name+" recall", a.got.Recall, a.want[1])
		near(t, a.name+" F1", a.got.F1, a.want[2])
	}
	for i, s := range classes {
		near(t, "precision", s.Precision, r.PerClass[i][0])
		near(t, "recall", s.Recall, r.PerClass[i][1])
		near(t, "F1", s.F1, r.PerClass[i][2])
		near(t, "support", float64(s.Support), r.PerClass[i][3])
	}
	filled := 0
	for _, b := range bins {
		if b.Count > 0 {
			near(t, "confidence", b.Confidence, r.Reliability[filled][0])
			near(t, "accuracy of a bin", b.Accuracy, r.Reliability[filled][1])
			filled++
		}
	}
	if filled != len(r.Reliability) {
		t.Errorf("%d bins are filled, want %d", filled, len(r.Reliability))
	}
}

func TestClassificationEqualsScikitLearn(t *testing.T) {
	for _, r := range readReferences(t, "testdata/classification.json") {
		t.Run(r.Name, func(t *testing.T) {
			var targets []int
			if err := json.Unmarshal(r.Targets, &targets); err != nil {
				t.Fatal(err)
			}
			c := NewClassification(r.Classes)
			for i, target := range targets {
				if err := c.Add(target, r.Probabilities[i]); err != nil {
					t.Fatal(err)
				}
			}
			got := c.Result()
			near(t, "accuracy", got.Accuracy, r.Accuracy)
			near(t, "log loss", got.LogLoss, r.LogLoss)
			if math.Abs(got.LogLoss-r.SklearnLogLoss) > 1e-6 {
				t.Errorf("log loss is %g, scikit-learn's %g", got.LogLoss, r.SklearnLogLoss)
			}
			near(t, "ECE", got.ECE, r.ECE)
			if !reflect.DeepEqual(got.Confusion, r.Confusion) {
				t.Errorf("confusion is %v, want %v", got.Confusion, r.Confusion)
			}
			r.check(t, got.Macro, got.Micro, got.Weighted, got.Classes, got.Reliability)
		})
	}
}

func TestMultiLabelEqualsScikitLearn(t *testing.T) {
	for _, r := range readReferences(t, "testdata/multilabel.json") {
		t.Run(r.Name, func(t *testing.T) {
			var targets [][]int32
			if err := json.Unmarshal(r.Targets, &targets); err != nil {
				t.Fatal(err)
			}
			m := NewMultiLabel(r.Classes, r.Threshold)
			for i, set := range targets {
				if err := m.Add(set, r.Probabilities[i]); err != nil {
					t.Fatal(err)
				}
			}
			got := m.Result()
			near(t, "subset accuracy", got.SubsetAccuracy, r.SubsetAccuracy)
			near(t, "Hamming loss", got.HammingLoss, r.HammingLoss)
			near(t, "log loss", got.LogLoss, r.LogLoss)
			near(t, "ECE", got.ECE, r.ECE)
			r.check(t, got.Macro, got.Micro, got.Weighted, got.Classes, got.Reliability)
		})
	}
}

func TestAddRefusesWhatCannotBe(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		name   string
		target int
		p      []float32
		want   string
	}{
		{"too few probabilities", 0, []float32{1}, "1 probabilities, want one for each of 2"},
		{"class out of range", 2, []float32{1, 0}, "class 2, want 0 to 1"},
		{"negative class", -1, []float32{1, 0}, "class -1, want 0 to 1"},
		{"NaN", 0, []float32{0, nan}, "class 1 is NaN"},
		{"logit in place of a probability", 0, []float32{3.5, 0}, "class 0 is 3.5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			single, multi := NewClassification(2), NewMultiLabel(2, 0.5)
			errs := []error{single.Add(c.target, c.p), multi.Add([]int32{int32(c.target)}, c.p)}
			for _, err := range errs {
				if err == nil || !strings.Contains(strings.Replace(err.Error(), "label", "class", 1), c.want) {
					t.Errorf("error %v, want one with %q", err, c.want)
				}
			}
			if single.Result().Count != 0 || multi.Result().Count != 0 {
				t.Error("a refused document was counted")
			}
		})
	}
}

func TestResultsOfNothingAreZero(t *testing.T) {
	single, multi := NewClassification(2).Result(), NewMultiLabel(2, 0.5).Result()
	for _, v := range []any{single, multi} {
		text, err := json.Marshal(v) // fails on NaN
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), `"log_loss":0,"ece":0`) {
			t.Errorf("result of nothing is %s", text)
		}
	}
}
