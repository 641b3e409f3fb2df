package metric

import (
	"fmt"
	"math"
)

// Classification accumulates predictions over exclusive classes.
type Classification struct {
	confusion   [][]int64
	count       int64
	logLoss     float64
	calibration calibration
}

// ClassificationResult is what a Classification has seen so far.
type ClassificationResult struct {
	Count    int64   `json:"count"`
	Accuracy float64 `json:"accuracy"`
	// LogLoss is the mean of -ln p(true class) in nats, p clipped to float32's
	// epsilon as scikit-learn's log_loss does.
	LogLoss float64 `json:"log_loss"`
	// ECE is the expected calibration error over the bins of Reliability.
	ECE float64 `json:"ece"`
	// Macro averages the classes that occur among the true or the predicted
	// ones; an absent class is left out, as scikit-learn does. Micro is the
	// accuracy three times; Weighted weighs by support.
	Macro    Average `json:"macro"`
	Micro    Average `json:"micro"`
	Weighted Average `json:"weighted"`

	Classes     []ClassScore `json:"classes"`
	Confusion   [][]int64    `json:"confusion"` // [true class][predicted class]
	Reliability []Bin        `json:"reliability"`
}

// NewClassification returns an empty accumulator for the given number of
// classes.
func NewClassification(classes int) *Classification {
	c := &Classification{confusion: make([][]int64, classes)}
	for i := range c.confusion {
		c.confusion[i] = make([]int64, classes)
	}
	return c
}

// Add counts one document of class target to which the model gave
// probabilities [classes]. The prediction is the most probable class, the first
// of equals.
func (c *Classification) Add(target int, probabilities []float32) error {
	if err := checkProbabilities(probabilities, len(c.confusion)); err != nil {
		return err
	}
	if target < 0 || target >= len(c.confusion) {
		return fmt.Errorf("metric: true class %d, want 0 to %d", target, len(c.confusion)-1)
	}
	predicted := mostProbable(probabilities)
	c.confusion[target][predicted]++
	c.count++
	c.logLoss -= math.Log(clipProbability(probabilities[target]))
	c.calibration.add(float64(probabilities[predicted]), predicted == target)
	return nil
}

// Result computes the scores of everything added so far. Without any document
// all scores are 0.
func (c *Classification) Result() ClassificationResult {
	tallies := c.tallies()
	r := ClassificationResult{
		Count:       c.count,
		ECE:         c.calibration.error(),
		Micro:       micro(tallies),
		Classes:     make([]ClassScore, len(tallies)),
		Confusion:   make([][]int64, len(tallies)),
		Reliability: c.calibration.table(),
	}
	var right int64
	for i, t := range tallies {
		r.Classes[i] = t.score()
		r.Confusion[i] = append([]int64(nil), c.confusion[i]...)
		right += t.hits
	}
	r.Accuracy = ratio(right, c.count)
	r.Macro = averageScores(r.Classes, occurs)
	r.Weighted = averageScores(r.Classes, func(s ClassScore) float64 { return float64(s.Support) })
	if c.count > 0 {
		r.LogLoss = c.logLoss / float64(c.count)
	}
	return r
}

func (c *Classification) tallies() []tally {
	tallies := make([]tally, len(c.confusion))
	for target, row := range c.confusion {
		tallies[target].hits = row[target]
		for predicted, n := range row {
			tallies[target].support += n
			tallies[predicted].predicted += n
		}
	}
	return tallies
}

// occurs weighs a class 1 if some document has it or was given it, else 0.
func occurs(s ClassScore) float64 {
	if s.Support+s.Predicted > 0 {
		return 1
	}
	return 0
}

func mostProbable(p []float32) int {
	best := 0
	for i, v := range p {
		if v > p[best] {
			best = i
		}
	}
	return best
}

func checkProbabilities(p []float32, classes int) error {
	if len(p) != classes {
		return fmt.Errorf("metric: %d probabilities, want one for each of %d classes", len(p), classes)
	}
	for i, v := range p {
		if !(v >= 0 && v <= 1) {
			return fmt.Errorf("metric: probability of class %d is %g, want 0 to 1: a NaN comes from weights or logits that are not finite", i, v)
		}
	}
	return nil
}

// clipProbability keeps a logarithm of p and of 1-p finite.
func clipProbability(p float32) float64 {
	const epsilon = 0x1p-23
	return min(max(float64(p), epsilon), 1-epsilon)
}
