package baseline

import (
	"context"
	"encoding/json"
	"maps"
	"math"
	"os"
	"reflect"
	"slices"
	"testing"
)

// reference is one case of testdata/reference.json, made with scikit-learn by
// testdata/make_reference.py.
type reference struct {
	Name          string      `json:"name"`
	Unit          string      `json:"unit"`
	Classes       int         `json:"classes"`
	MultiLabel    bool        `json:"multi_label"`
	Train         []string    `json:"train"`
	Labels        [][]int32   `json:"labels"`
	Test          []string    `json:"test"`
	Terms         []string    `json:"terms"`
	IDF           []float64   `json:"idf"`
	Probabilities [][]float64 `json:"probabilities"`
}

func readReferences(t *testing.T) (cases []reference) {
	t.Helper()
	content, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

// fitReference fits a case until the gradient is at most 1e-9, as scikit-learn
// did.
func fitReference(t *testing.T, r reference, threads int) *Model {
	t.Helper()
	m, err := Fit(context.Background(), r.Train, r.Labels, r.Classes,
		Options{MultiLabel: r.MultiLabel, Tolerance: 1e-9, Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	if !m.converged {
		t.Errorf("not converged: %s", m.Describe())
	}
	return m
}

// TestFitEqualsScikitLearn holds the vocabulary to equality, idf to 1e-12 and
// probabilities to 1e-6: values and weights are kept in float32.
func TestFitEqualsScikitLearn(t *testing.T) {
	for _, r := range readReferences(t) {
		t.Run(r.Name, func(t *testing.T) {
			m := fitReference(t, r, 2)
			if want := map[string]Unit{"word": Words, "char": Characters}[r.Unit]; m.vocabulary.unit != want {
				t.Errorf("cut into %s n-grams, want %s", m.vocabulary.unit, want)
			}
			if got := slices.Sorted(maps.Keys(m.vocabulary.feature)); !slices.Equal(got, r.Terms) {
				t.Fatalf("%d terms, want %d: %.200q against %.200q", len(got), len(r.Terms), got, r.Terms)
			}
			for f, term := range r.Terms {
				if m.vocabulary.feature[term] != int32(f) || math.Abs(m.vocabulary.idf[f]-r.IDF[f]) > 1e-12 {
					t.Errorf("%q: feature %d with idf %.14g, want %d with %.14g", term,
						m.vocabulary.feature[term], m.vocabulary.idf[f], f, r.IDF[f])
				}
			}
			worst := 0.0
			for i, text := range r.Test {
				for class, p := range m.Scores(text) {
					worst = max(worst, math.Abs(float64(p)-r.Probabilities[i][class]))
				}
			}
			if !(worst <= 1e-6) {
				t.Errorf("probabilities differ by up to %.2g, want 1e-6", worst)
			}
			t.Logf("largest difference %.2g", worst)
		})
	}
}

// TestFitDoesNotDependOnThreads asks for the same bits.
func TestFitDoesNotDependOnThreads(t *testing.T) {
	for _, r := range readReferences(t) {
		one, three := fitReference(t, r, 1), fitReference(t, r, 3)
		if !reflect.DeepEqual(one.weights, three.weights) || !reflect.DeepEqual(one.bias, three.bias) {
			t.Errorf("%s: weights of 1 and of 3 threads differ", r.Name)
		}
	}
}
