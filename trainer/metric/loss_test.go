package metric

import (
	"math"
	"testing"
)

func TestLossWeighsByTokens(t *testing.T) {
	var l Loss
	if !math.IsNaN(l.Mean()) || !math.IsNaN(l.Perplexity()) {
		t.Errorf("loss of nothing is %g, perplexity %g, want NaN", l.Mean(), l.Perplexity())
	}
	l.Add(2, 10)
	l.Add(5, 30)
	l.Add(math.NaN(), 0)
	near(t, "mean", l.Mean(), (2*10+5*30)/40.)
	near(t, "perplexity", l.Perplexity(), math.Exp(4.25))
	if l.Tokens() != 40 {
		t.Errorf("%d tokens, want 40", l.Tokens())
	}
	l.Reset()
	if l.Tokens() != 0 {
		t.Errorf("%d tokens after Reset, want 0", l.Tokens())
	}
}

// TestLossSumsInFloat64 would lose all the small addends in float32.
func TestLossSumsInFloat64(t *testing.T) {
	var l Loss
	l.Add(1, 1<<30)
	for range 1000 {
		l.Add(2, 1)
	}
	near(t, "mean", l.Mean(), (1<<30+2000.)/(1<<30+1000))
}
