package metric

import "math"

// Loss accumulates mean losses of batches into the mean over all their tokens
// (or documents, for a classification loss), summed in float64. The zero value
// is empty.
type Loss struct {
	sum    float64
	tokens int64
}

// Add counts a batch whose mean loss over tokens is mean, in nats. A batch
// without tokens changes nothing, whatever its mean.
func (l *Loss) Add(mean float64, tokens int64) {
	if tokens <= 0 {
		return
	}
	l.sum += mean * float64(tokens)
	l.tokens += tokens
}

// Tokens is the number of tokens added.
func (l *Loss) Tokens() int64 { return l.tokens }

// Mean is the loss over all tokens in nats, NaN if there are none.
func (l *Loss) Mean() float64 {
	if l.tokens == 0 {
		return math.NaN()
	}
	return l.sum / float64(l.tokens)
}

// Perplexity is e to the mean loss, NaN if there are no tokens.
func (l *Loss) Perplexity() float64 { return math.Exp(l.Mean()) }

// Reset empties the accumulator.
func (l *Loss) Reset() { *l = Loss{} }
