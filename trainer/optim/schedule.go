package optim

import (
	"fmt"
	"math"
)

// Schedule is the learning rate over the steps of a run: linear warm-up, then a half cosine down to Min.
type Schedule struct {
	Peak   float64
	Min    float64
	Warmup int // steps
	Steps  int // of the whole run
}

// Validate names what is out of bounds.
func (s Schedule) Validate() error {
	switch {
	case !(s.Peak > 0) || math.IsInf(s.Peak, 0):
		return fmt.Errorf("learning rate is %g, want above 0 (--lr)", s.Peak)
	case !(s.Min >= 0 && s.Min <= s.Peak):
		return fmt.Errorf("least learning rate is %g, want between 0 and the learning rate %g (--min-lr)", s.Min, s.Peak)
	case s.Warmup < 0:
		return fmt.Errorf("warm-up is %d steps, want at least 0 (--warmup)", s.Warmup)
	case s.Steps < 1:
		return fmt.Errorf("run is %d steps long, want at least 1 (--steps)", s.Steps)
	}
	return nil
}

// Rate is the learning rate of a step, counted from 0: Peak*(step+1)/Warmup while warming up, then
// Min + (Peak-Min)/2 * (1 + cos(pi*(step-Warmup)/(Steps-Warmup))) (Loshchilov and Hutter 2017, eq. 5), and Min after the end.
func (s Schedule) Rate(step int) float64 {
	switch {
	case step < s.Warmup:
		return s.Peak * float64(step+1) / float64(s.Warmup)
	case step >= s.Steps:
		return s.Min
	}
	progress := float64(step-s.Warmup) / float64(s.Steps-s.Warmup)
	return s.Min + 0.5*(s.Peak-s.Min)*(1+math.Cos(math.Pi*progress))
}

// RateAt is the rate of a run that time ends: warm-up by steps as in Rate, then the cosine over the share of the time that
// is gone, between 0 and 1.
func (s Schedule) RateAt(step int, gone float64) float64 {
	if step < s.Warmup {
		return s.Peak * float64(step+1) / float64(s.Warmup)
	}
	return s.Min + 0.5*(s.Peak-s.Min)*(1+math.Cos(math.Pi*min(max(gone, 0), 1)))
}
