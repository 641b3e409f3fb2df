package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"atoll/engine"
	"atoll/engine/ir"
)

// profileBench is where the time of a step goes: the kernels of the compiled program, timed one by one within whole steps.
type profileBench struct {
	Steps        int           `json:"steps"`
	Milliseconds float64       `json:"milliseconds"` // of a step, the mean of the middle half of the steps
	Accounted    float64       `json:"accounted"`    // the kernels' share of it, 0 to 1
	Kernels      []kernelBench `json:"kernels"`      // the longest first
}

func (r *profileBench) String() string {
	if r == nil {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n\nwhere a step of %.2f ms goes, mean of the middle half of %d; the kernels are %.1f%% of it\n", r.Milliseconds, r.Steps, 100*r.Accounted)
	fmt.Fprintf(&b, "%-19s %5s %10s %10s %6s %8s %6s %8s %6s  dims", "kernel", "calls", "µs a call", "ms a step", "step", "GFLOP/s", "peak", "GB/s", "memory")
	for _, k := range r.Kernels {
		fmt.Fprintf(&b, "\n%-19s %5d %10.1f %10.3f %5.1f%% %8.1f %5.0f%% %8.1f %5.0f%%  %s", k.Kernel, k.Calls, k.Microseconds,
			float64(k.Calls)*k.Microseconds/1e3, 100*k.StepShare, k.FLOPS/1e9, 100*k.PeakShare, k.BytesPerSecond/1e9, 100*k.BandwidthShare, k.Dims)
	}
	return b.String()
}

// timedStep is one step: how long it took, and how long each of its instructions.
type timedStep struct {
	took  float64
	parts []float64
}

// profile takes steps with the program's calls timed, after some to warm up; step does one, with run in the place of the program's
// Run.
func profile(ctx context.Context, p *engine.Program, steps int, step func(run func() error) error) (*profileBench, error) {
	var all []timedStep
	for n := range steps + warmUp {
		if ctx.Err() != nil {
			return nil, errInterrupted
		}
		s := timedStep{parts: make([]float64, len(p.List.Instrs))}
		began := time.Now()
		if err := step(func() error { return p.RunTimed(s.parts) }); err != nil {
			return nil, err
		}
		if s.took = time.Since(began).Seconds(); n >= warmUp {
			all = append(all, s)
		}
	}
	return profileOf(p.List, all), nil
}

// profileOf averages whole steps, so that the parts add up to them; the quarter of the shortest and that of the longest are left out,
// since what disturbs a step is not the program's.
func profileOf(list ir.Program, steps []timedStep) *profileBench {
	slices.SortFunc(steps, func(a, b timedStep) int { return cmp.Compare(a.took, b.took) })
	middle := steps[len(steps)/4 : len(steps)-len(steps)/4]
	r := &profileBench{Steps: len(steps)}
	parts, sum := make([]float64, len(list.Instrs)), 0.0
	for _, s := range middle {
		r.Milliseconds += 1e3 * s.took / float64(len(middle))
		for n, seconds := range s.parts {
			parts[n] += seconds / float64(len(middle))
		}
	}
	for _, c := range distinctCalls(list) {
		seconds := 0.0
		for _, n := range c.at {
			seconds += parts[n]
		}
		sum += seconds
		each := seconds / float64(len(c.at))
		r.Kernels = append(r.Kernels, kernelBench{Kernel: c.Kernel.String(), Dims: describeDims(&c.Call), Calls: len(c.at), Microseconds: 1e6 * each,
			FLOPS: share(c.Operations(), each), BytesPerSecond: share(float64(c.Traffic()), each), StepShare: 1e3 * seconds / r.Milliseconds})
	}
	r.Accounted = 1e3 * sum / r.Milliseconds
	slices.SortStableFunc(r.Kernels, func(a, b kernelBench) int { return cmp.Compare(b.StepShare, a.StepShare) })
	return r
}

// hold sets the shares of the machine's limits.
func (r *profileBench) hold(m machineInfo) {
	if r == nil {
		return
	}
	for n := range r.Kernels {
		k := &r.Kernels[n]
		k.PeakShare, k.BandwidthShare = share(k.FLOPS, m.Peak), share(k.BytesPerSecond, m.Bandwidth)
	}
}
