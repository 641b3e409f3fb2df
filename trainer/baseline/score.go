package baseline

import (
	"fmt"
	"math"
	"strings"
)

// Scores returns the probability of each class: they sum to 1 where classes are
// exclusive, and are independent where a text may have several labels. A class
// without a training text has probability 0.
func (m *Model) Scores(text string) []float32 {
	scores := make([]float32, m.classes)
	for _, class := range m.always {
		scores[class] = 1
	}
	if !m.multiLabel && len(m.seen) == 1 {
		scores[m.seen[0]] = 1
		return scores
	}
	z := m.logits(text)
	switch {
	case m.multiLabel:
		for i, class := range m.seen {
			scores[class] = float32(sigmoid(z[i]))
		}
	case m.outputs == 1:
		scores[m.seen[0]] = float32(sigmoid(-z[0]))
		scores[m.seen[1]] = float32(sigmoid(z[0]))
	default:
		p := make([]float64, len(z))
		softmaxLoss(z, 0, p)
		p[0]++ // softmaxLoss leaves p - target
		for i, class := range m.seen {
			scores[class] = float32(p[i])
		}
	}
	return scores
}

func (m *Model) logits(text string) []float64 {
	ids, values := newVectorizer(m.vocabulary).row(text, nil, nil)
	z := append([]float64(nil), m.bias...)
	for i, f := range ids {
		for j := range z {
			z[j] += values[i] * float64(m.weights[int(f)*m.outputs+j])
		}
	}
	return z
}

// Describe says in one line what was fitted, on what, and every limit it ran
// into.
func (m *Model) Describe() string {
	v := m.vocabulary
	var b strings.Builder
	fmt.Fprintf(&b, "TF-IDF of %s 1-2 grams + logistic regression: %d texts, %d classes, %d features, %d iterations",
		v.unit, m.documents, m.classes, len(v.df), m.iterations)
	fmt.Fprintf(&b, "; %.0f %% of letters are in scripts without spaces", 100*m.share)
	if v.dropped > 0 || v.lossy {
		fmt.Fprintf(&b, "; rarer terms left out by the cap of %d features", len(v.df))
	}
	if without := m.classes - len(m.seen) - len(m.always); without > 0 {
		fmt.Fprintf(&b, "; %d classes without a training text", without)
	}
	if !m.converged {
		b.WriteString("; not converged")
	}
	return b.String()
}

func sigmoid(z float64) float64 { return 1 / (1 + math.Exp(-z)) }
