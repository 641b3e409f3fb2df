package trainer

import (
	"context"
	"fmt"

	"atoll/model"
	"atoll/model/predict"
	"atoll/trainer/data"
	"atoll/trainer/metric"
)

// Scored is a classifier's answers on a split, with their scores.
type Scored struct {
	Single      *metric.ClassificationResult // one label a document; nil otherwise
	Multi       *metric.MultiLabelResult     // several; nil otherwise
	Predictions []predict.Prediction         // by document
	Truncated   int                          // documents longer than was read
}

// threshold is the probability at which a label of several counts as given.
const threshold = 0.5

// scoreChunk is how many documents are held as tokens at one time.
const scoreChunk = 4096

// Classify scores every document of a labelled split, of which at most sequence tokens are read. classOf gives the model's
// class for each class of the split, so that scores come in the split's order; nil where the orders are the same.
func Classify(ctx context.Context, m *predict.Model, split *data.Split, sequence int, classOf []int) (*Scored, error) {
	s := &Scored{}
	for first := 0; first < split.Documents(); first += scoreChunk {
		var documents [][]int32
		for i := first; i < min(first+scoreChunk, split.Documents()); i++ {
			tokens, err := split.Document(nil, i)
			if err != nil {
				return nil, err
			}
			if len(tokens) > sequence {
				tokens = tokens[:sequence]
				s.Truncated++
			}
			documents = append(documents, tokens)
		}
		predictions, err := m.ClassifyTokens(ctx, documents)
		if err != nil {
			return nil, err
		}
		for _, p := range predictions {
			p.Scores, p.Logits = reorder(p.Scores, classOf), reorder(p.Logits, classOf)
			s.Predictions = append(s.Predictions, p)
		}
	}
	return s, s.count(m.Config, split, func(i int) []float32 { return s.Predictions[i].Scores })
}

// reorder gives the values by the split's classes.
func reorder(values []float32, classOf []int) []float32 {
	if classOf == nil {
		return values
	}
	ordered := make([]float32, len(classOf))
	for k, at := range classOf {
		ordered[k] = values[at]
	}
	return ordered
}

// count fills the scores from probabilities by document.
func (s *Scored) count(c model.Config, split *data.Split, probabilities func(i int) []float32) error {
	k := len(c.Labels)
	single, multi := metric.NewClassification(k), metric.NewMultiLabel(k, threshold)
	for i := range split.Documents() {
		var err error
		if c.Problem == model.MultiLabel {
			err = multi.Add(LabelsOf(split, i, k), probabilities(i))
		} else {
			err = single.Add(int(split.Label(i)), probabilities(i))
		}
		if err != nil {
			return fmt.Errorf("document %s: %w", split.Origin(i), err)
		}
	}
	if c.Problem == model.MultiLabel {
		result := multi.Result()
		s.Multi = &result
	} else {
		result := single.Result()
		s.Single = &result
	}
	return nil
}

// LabelsOf are the classes of document i of a multilabel split with k classes.
func LabelsOf(split *data.Split, i, k int) []int32 {
	var labels []int32
	for class := range k {
		if split.HasLabel(i, class) {
			labels = append(labels, int32(class))
		}
	}
	return labels
}
