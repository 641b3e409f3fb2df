package metric

import (
	"fmt"
	"math"
)

// MultiLabel accumulates predictions where a document has any number of labels:
// a label is predicted when its probability is at least the threshold.
type MultiLabel struct {
	threshold   float32
	tallies     []tally
	count       int64
	exact       int64
	wrong       int64 // label decisions
	logLoss     float64
	calibration calibration
	isTrue      []bool
}

// MultiLabelResult is what a MultiLabel has seen so far.
type MultiLabelResult struct {
	Count     int64   `json:"count"`
	Threshold float64 `json:"threshold"`
	// SubsetAccuracy is the share of documents whose labels are all right.
	SubsetAccuracy float64 `json:"subset_accuracy"`
	// HammingLoss is the share of wrong decisions, over documents and labels.
	HammingLoss float64 `json:"hamming_loss"`
	// LogLoss is the mean binary cross-entropy over documents and labels, nats.
	LogLoss float64 `json:"log_loss"`
	// ECE is the expected calibration error of each label's probability, all
	// labels together, over the bins of Reliability.
	ECE      float64 `json:"ece"`
	Macro    Average `json:"macro"` // over all labels, occurring or not
	Micro    Average `json:"micro"`
	Weighted Average `json:"weighted"`

	Classes     []ClassScore `json:"classes"`
	Reliability []Bin        `json:"reliability"`
}

// NewMultiLabel returns an empty accumulator. The usual threshold is 0.5.
func NewMultiLabel(classes int, threshold float32) *MultiLabel {
	return &MultiLabel{threshold: threshold, tallies: make([]tally, classes), isTrue: make([]bool, classes)}
}

// Add counts one document with the true labels targets (class numbers, in any
// order) to which the model gave probabilities [classes].
func (m *MultiLabel) Add(targets []int32, probabilities []float32) error {
	if err := checkProbabilities(probabilities, len(m.tallies)); err != nil {
		return err
	}
	clear(m.isTrue)
	for _, t := range targets {
		if t < 0 || int(t) >= len(m.tallies) {
			return fmt.Errorf("metric: true label %d, want 0 to %d", t, len(m.tallies)-1)
		}
		m.isTrue[t] = true
	}
	wrong := int64(0)
	for class, p := range probabilities {
		if m.addLabel(class, p) != m.isTrue[class] {
			wrong++
		}
	}
	m.count++
	m.wrong += wrong
	if wrong == 0 {
		m.exact++
	}
	return nil
}

// addLabel counts one decision and returns it.
func (m *MultiLabel) addLabel(class int, p float32) (predicted bool) {
	t, is := &m.tallies[class], m.isTrue[class]
	predicted = p >= m.threshold
	if is {
		t.support++
		m.logLoss -= math.Log(clipProbability(p))
	} else {
		m.logLoss -= math.Log1p(-clipProbability(p))
	}
	if predicted {
		t.predicted++
		if is {
			t.hits++
		}
	}
	m.calibration.add(float64(p), is)
	return predicted
}

// Result computes the scores of everything added so far. Without any document
// all scores are 0.
func (m *MultiLabel) Result() MultiLabelResult {
	decisions := m.count * int64(len(m.tallies))
	r := MultiLabelResult{
		Count:          m.count,
		Threshold:      float64(m.threshold),
		SubsetAccuracy: ratio(m.exact, m.count),
		HammingLoss:    ratio(m.wrong, decisions),
		ECE:            m.calibration.error(),
		Micro:          micro(m.tallies),
		Classes:        make([]ClassScore, len(m.tallies)),
		Reliability:    m.calibration.table(),
	}
	for i, t := range m.tallies {
		r.Classes[i] = t.score()
	}
	r.Macro = averageScores(r.Classes, func(ClassScore) float64 { return 1 })
	r.Weighted = averageScores(r.Classes, func(s ClassScore) float64 { return float64(s.Support) })
	if decisions > 0 {
		r.LogLoss = m.logLoss / float64(decisions)
	}
	return r
}
