package trainer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"atoll/model"
	"atoll/model/bpe"
	"atoll/model/predict"
	"atoll/trainer/data"
	"atoll/trainer/metric"
)

// shownMistakes is how many mistakes a report lists.
const shownMistakes = 20

// mistakes are the documents that got the wrong label, or a wrong set of labels, the most confident first.
func (s *Scored) mistakes(split *data.Split, t *bpe.Tokenizer, labels []string, problem model.Problem) ([]metric.Mistake, error) {
	judge := judgeLabel
	if problem == model.MultiLabel {
		judge = judgeSet
	}
	type wrong struct {
		document int
		metric.Mistake
	}
	var all []wrong
	for i, p := range s.Predictions {
		if m, right := judge(split, i, p.Scores, labels); !right {
			all = append(all, wrong{i, m})
		}
	}
	slices.SortStableFunc(all, func(a, b wrong) int { return cmp.Compare(b.Probability, a.Probability) })
	var shown []metric.Mistake
	for _, w := range all[:min(shownMistakes, len(all))] {
		text, err := documentText(split, t, w.document)
		if err != nil {
			return nil, err
		}
		w.Text = text
		shown = append(shown, w.Mistake)
	}
	return shown, nil
}

// judgeLabel holds the likeliest label against the true one.
func judgeLabel(split *data.Split, i int, scores []float32, labels []string) (metric.Mistake, bool) {
	best := predict.Prediction{Scores: scores}.Best()
	truth := int(split.Label(i))
	return metric.Mistake{True: labels[truth], Predicted: labels[best], Probability: float64(scores[best])}, best == truth
}

// judgeSet holds the labels at or above the threshold against the true ones. The probability is that of the surest wrong decision.
func judgeSet(split *data.Split, i int, scores []float32, labels []string) (metric.Mistake, bool) {
	var truth, predicted []string
	right, surest := true, 0.0
	for k, p := range scores {
		is, says := split.HasLabel(i, k), p >= threshold
		if is {
			truth = append(truth, labels[k])
		}
		if says {
			predicted = append(predicted, labels[k])
		}
		if is != says {
			right = false
			surest = max(surest, float64(p), 1-float64(p))
		}
	}
	return metric.Mistake{True: orNone(truth), Predicted: orNone(predicted), Probability: surest}, right
}

func orNone(labels []string) string {
	if len(labels) == 0 {
		return "no label"
	}
	return strings.Join(labels, ", ")
}

// documentText is document i of a split, back from its tokens.
func documentText(split *data.Split, t *bpe.Tokenizer, i int) (string, error) {
	tokens, err := split.Document(nil, i)
	if err != nil {
		return "", err
	}
	text, err := t.Decode(nil, tokens)
	if err != nil {
		return "", fmt.Errorf("document %s: %w", split.Origin(i), err)
	}
	return string(text), nil
}
