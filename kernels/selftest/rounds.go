package selftest

import (
	"errors"
	"fmt"
	"time"

	"atoll/kernels"
	"atoll/kernels/cuda"
	"atoll/kernels/kerneltest"
)

// test is a self-test under way.
type test struct {
	device   Device
	now      func() time.Time
	began    time.Time
	subjects []*subject
	ran      int // cases
	first    time.Duration
}

// subject is a kernel that is tested: a case that was run is not among its cases any more.
type subject struct {
	kernel  kernels.Kernel
	cases   []kerneltest.Case
	problem string // how it differs from ref; such a kernel is not run again
}

// run goes through the kernels in rounds of a case each. The first is complete, the others are as far as time allows.
func (t *test) run() error {
	for round := 0; ; round++ {
		left := false
		for _, s := range t.subjects {
			if len(s.cases) == 0 {
				continue
			}
			if round > 0 && t.now().Sub(t.began) >= lastBegin {
				return nil
			}
			if err := t.hold(s, s.cases[0]); err != nil {
				return err
			}
			s.cases = s.cases[1:]
			if s.problem != "" {
				s.cases = nil
			}
			left = left || len(s.cases) > 0
		}
		if round == 0 {
			t.first = t.now().Sub(t.began)
		}
		if !left {
			return nil
		}
	}
}

// hold runs a case in each of its precisions until one goes wrong.
func (t *test) hold(s *subject, c kerneltest.Case) error {
	for _, precision := range c.Precisions() {
		t.ran++
		problems := kerneltest.Check(t.device, c, precision)
		if len(problems) == 0 {
			continue
		}
		var full *cuda.OutOfMemoryError
		if errors.As(problems[0], &full) {
			return fmt.Errorf("self-test: %w", full)
		}
		s.problem = fmt.Sprintf("%s: %v", c.Name(precision), problems[0])
		if !works(t.device) {
			return &LostError{t.device.Name(), s.kernel, s.problem}
		}
		return nil
	}
	return nil
}

// conclude enters what was found. Where the device was lost, kernels with cases left are no part of it: the next process tests them.
func (t *test) conclude(v *Verdict, lost bool) {
	v.Time, v.Cases, v.Left = t.now(), t.ran, 0
	v.Seconds, v.First = t.now().Sub(t.began).Seconds(), t.first.Seconds()
	for _, s := range t.subjects {
		if s.problem != "" || !lost || len(s.cases) == 0 {
			v.Kernels[s.kernel.String()] = s.problem
		}
		if s.problem != "" || lost {
			continue
		}
		for _, c := range s.cases {
			v.Left += len(c.Precisions())
		}
	}
}
