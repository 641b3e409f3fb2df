package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"atoll/trainer"
	"atoll/trainer/metric"
)

// widestMatrix is the most classes whose confusion matrix is printed; beyond it the commonest confusions are.
const widestMatrix = 12

// printEvaluation writes the scores as text for people.
func printEvaluation(s streams, e *trainer.Evaluation) error {
	fmt.Fprintf(s.out, "%s on the %s split of %s: %d documents, %d tokens\n", e.Model, e.Split, e.Data, e.Documents, e.Tokens)
	if e.Truncated > 0 {
		fmt.Fprintln(s.out, truncation(e))
	}
	if l := e.Language; l != nil {
		_, err := fmt.Fprintf(s.out, "loss           %.4f nats a token\nperplexity     %.3f\nbits per byte  %.4f of %d bytes\n", l.Loss, l.Perplexity, l.BitsPerByte, l.Bytes)
		return err
	}
	var text []table
	text = append(text, summaryTable(e), classTable(e))
	if e.Classification != nil {
		text = append(text, confusionTable(e.Labels, e.Classification.Confusion))
	}
	var err error
	for _, t := range text {
		fmt.Fprintln(s.out)
		err = errors.Join(err, t.write(s.out))
	}
	if e.Baseline != nil {
		_, failed := fmt.Fprintf(s.out, "\nn-gram baseline: %s\n", e.Baseline.Description)
		err = errors.Join(err, failed)
	}
	return err
}

// score is one line of a summary.
type score struct {
	name  string
	value float64
	drawn bool // in the report, as a bar; of one label a document, micro F1 is the accuracy again
}

// summary are the scores over all classes.
func summary(s trainer.Scores) []score {
	if c := s.Classification; c != nil {
		return []score{{"accuracy", c.Accuracy, true}, {"macro F1", c.Macro.F1, true}, {"weighted F1", c.Weighted.F1, true}, {"micro F1", c.Micro.F1, false},
			{"log loss", c.LogLoss, false}, {"calibration error", c.ECE, false}}
	}
	m := s.MultiLabel
	return []score{{"micro F1", m.Micro.F1, true}, {"macro F1", m.Macro.F1, true}, {"weighted F1", m.Weighted.F1, true},
		{fmt.Sprintf("subset accuracy at %g", m.Threshold), m.SubsetAccuracy, true}, {"Hamming loss", m.HammingLoss, false}, {"log loss", m.LogLoss, false},
		{"calibration error", m.ECE, false}}
}

func summaryTable(e *trainer.Evaluation) (t table) {
	head := []string{"", "model"}
	if e.Baseline != nil {
		head = append(head, "n-gram baseline")
	}
	t.row(head...)
	columns := [][]score{summary(e.Scores)}
	if e.Baseline != nil {
		columns = append(columns, summary(e.Baseline.Scores))
	}
	for n, line := range columns[0] {
		cells := []string{line.name}
		for _, column := range columns {
			cells = append(cells, decimal(column[n].value))
		}
		t.row(cells...)
	}
	if e.Classification != nil {
		cells := []string{"wrong documents", wrongDocuments(e.Classification)}
		if e.Baseline != nil {
			cells = append(cells, wrongDocuments(e.Baseline.Classification))
		}
		t.row(cells...)
	}
	return t
}

func wrongDocuments(c *metric.ClassificationResult) string {
	wrong := c.Count
	for k := range c.Confusion {
		wrong -= c.Confusion[k][k]
	}
	return strconv.FormatInt(wrong, 10)
}

func decimal(x float64) string { return strconv.FormatFloat(x, 'f', 4, 64) }

// classTable are the scores by class, with the averages below.
func classTable(e *trainer.Evaluation) (t table) {
	t.row("class", "precision", "recall", "F1", "documents", "predicted")
	for k, c := range classScores(e.Scores) {
		t.row(e.Labels[k], decimal(c.Precision), decimal(c.Recall), decimal(c.F1), strconv.FormatInt(c.Support, 10), strconv.FormatInt(c.Predicted, 10))
	}
	micro, macro, weighted := averages(e.Scores)
	for _, a := range []struct {
		name string
		metric.Average
	}{{"micro average", micro}, {"macro average", macro}, {"weighted average", weighted}} {
		t.row(a.name, decimal(a.Precision), decimal(a.Recall), decimal(a.F1))
	}
	return t
}

func classScores(s trainer.Scores) []metric.ClassScore {
	if s.Classification != nil {
		return s.Classification.Classes
	}
	return s.MultiLabel.Classes
}

func averages(s trainer.Scores) (micro, macro, weighted metric.Average) {
	if c := s.Classification; c != nil {
		return c.Micro, c.Macro, c.Weighted
	}
	return s.MultiLabel.Micro, s.MultiLabel.Macro, s.MultiLabel.Weighted
}

// confusionTable is the matrix of true class by predicted class, or of many classes the commonest confusions.
func confusionTable(labels []string, counts [][]int64) (t table) {
	if len(labels) > widestMatrix {
		return confusions(labels, counts)
	}
	t.row(append([]string{"true \\ predicted"}, labels...)...)
	for k, row := range counts {
		cells := []string{labels[k]}
		for _, n := range row {
			cells = append(cells, strconv.FormatInt(n, 10))
		}
		t.row(cells...)
	}
	return t
}

// confusions lists pairs of classes, the commonest confusion first.
func confusions(labels []string, counts [][]int64) (t table) {
	type pair struct {
		truth, predicted int
		count            int64
	}
	var pairs []pair
	for truth, row := range counts {
		for predicted, n := range row {
			if truth != predicted && n > 0 {
				pairs = append(pairs, pair{truth, predicted, n})
			}
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return int(b.count - a.count) })
	t.row("true class", "predicted", "documents")
	for _, p := range pairs[:min(len(pairs), 2*widestMatrix)] {
		t.row(labels[p.truth], labels[p.predicted], strconv.FormatInt(p.count, 10))
	}
	return t
}
