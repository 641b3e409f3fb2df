package baseline

import (
	"context"
	"math"
)

// historyBytes bounds the memory of the solver's past steps.
const historyBytes = 256 << 20

// solution is where a fit ended.
type solution struct {
	w          []float64 // [columns+1, k]
	iterations int
	gradient   float64 // largest magnitude of the gradient's elements
	converged  bool
}

// solver minimises an objective with L-BFGS (Nocedal and Wright, Numerical
// Optimization, algorithms 7.4 and 7.5), scaled by the curvature's diagonal:
// terms differ in it by orders of magnitude, and without the scaling the
// headlines of THUCNews took 102 steps in place of 53.
//
// Logits are linear in the weights, so the logits along a search direction are
// computed once and every trial of the line search costs only rows x k. gonum's
// optimize was not used because it cannot see that and asks for a whole
// evaluation each trial.
type solver struct {
	o            *objective
	w, g         []float64 // weights, gradient
	direction    []float64
	z, zd, trial []float64 // logits at w, along direction, at the trial
	residual     []float64
	inverse      []float64 // 1 / curvature
	s, y         [][]float64
	rho          []float64
	pairs        int // pairs of s and y kept
	alpha        []float64
}

func newSolver(o *objective) *solver {
	n := (o.columns + 1) * o.k
	v := &solver{o: o,
		w: make([]float64, n), g: make([]float64, n), direction: make([]float64, n),
		z: make([]float64, o.rows*o.k), zd: make([]float64, o.rows*o.k),
		trial: make([]float64, o.rows*o.k), residual: make([]float64, o.rows*o.k),
		inverse: o.curvature(),
		pairs:   min(10, max(3, historyBytes/(16*n))),
	}
	for i, d := range v.inverse {
		v.inverse[i] = 1 / d
	}
	v.alpha = make([]float64, v.pairs)
	return v
}

// solve runs until no element of the gradient exceeds tolerance or iterations
// are used up.
func (v *solver) solve(ctx context.Context, tolerance float64, iterations int) (solution, error) {
	v.o.residual(v.z, v.residual)
	v.o.gradient(v.w, v.residual, v.g)
	for i := 0; ; i++ {
		if err := ctx.Err(); err != nil {
			return solution{}, err
		}
		largest := maxAbs(v.g)
		if largest <= tolerance || i == iterations {
			return solution{v.w, i, largest, largest <= tolerance}, nil
		}
		slope := v.descend()
		step, ok := v.search(slope)
		if !ok {
			// Rounding leaves no lower point along a descent direction: this is
			// as near as float64 comes.
			return solution{v.w, i, largest, false}, nil
		}
		v.advance(step)
	}
}

// descend sets direction to minus the approximate inverse Hessian times the
// gradient and returns the slope along it.
func (v *solver) descend() float64 {
	d := v.direction
	copy(d, v.g)
	for i := len(v.s) - 1; i >= 0; i-- {
		v.alpha[i] = v.rho[i] * dot(v.s[i], d)
		axpy(-v.alpha[i], v.y[i], d)
	}
	gamma := 1.0
	if last := len(v.s) - 1; last >= 0 {
		gamma = 1 / (v.rho[last] * weightedSquare(v.y[last], v.inverse))
	}
	for i, h := range v.inverse {
		d[i] *= gamma * h
	}
	for i := range v.s {
		axpy(v.alpha[i]-v.rho[i]*dot(v.y[i], d), v.s[i], d)
	}
	for i := range d {
		d[i] = -d[i]
	}
	return dot(v.g, d)
}

// search finds a step along direction at which the slope is at most a tenth of
// the starting slope. The objective is convex along the line, so the slope
// rises through zero: the step is bracketed and then narrowed by false
// position, with bisection where that would stall.
func (v *solver) search(slope float64) (step float64, ok bool) {
	if !(slope < 0) {
		return 0, false
	}
	ridged := v.o.columns * v.o.k
	wd := dot(v.w[:ridged], v.direction[:ridged])
	dd := dot(v.direction[:ridged], v.direction[:ridged])
	v.o.multiply(v.direction, v.o.k, v.o.threads, v.zd)
	lo, lowSlope := 0.0, slope
	hi, highSlope := math.Inf(1), 0.0
	step = 1
	for range 40 {
		at := v.slopeAt(step) + v.o.ridge*(wd+step*dd)
		if math.Abs(at) <= -0.1*slope {
			return step, true
		}
		if at < 0 {
			lo, lowSlope = step, at
		} else {
			hi, highSlope = step, at
		}
		step = nextStep(lo, lowSlope, hi, highSlope)
	}
	return lo, lo > 0
}

// nextStep picks a trial inside the bracket, or beyond lo while hi is unknown.
func nextStep(lo, lowSlope, hi, highSlope float64) float64 {
	if math.IsInf(hi, 1) {
		return 4 * lo
	}
	width := hi - lo
	step := lo - lowSlope*width/(highSlope-lowSlope)
	return min(max(step, lo+0.1*width), hi-0.1*width)
}

// slopeAt returns the derivative of the mean loss along direction at step, and
// leaves the residual of that point behind.
func (v *solver) slopeAt(step float64) float64 {
	for i, z := range v.z {
		v.trial[i] = z + step*v.zd[i]
	}
	v.o.residual(v.trial, v.residual)
	return dot(v.residual, v.zd) / float64(v.o.rows)
}

// advance moves by step along direction, takes the gradient there and keeps the
// pair of differences.
func (v *solver) advance(step float64) {
	s, y := v.recycled()
	for i, d := range v.direction {
		s[i] = step * d
		y[i] = -v.g[i]
		v.w[i] += s[i]
	}
	axpy(step, v.zd, v.z)
	v.o.residual(v.z, v.residual)
	v.o.gradient(v.w, v.residual, v.g)
	axpy(1, v.g, y)
	if sy := dot(s, y); sy > 0 {
		v.s, v.y, v.rho = append(v.s, s), append(v.y, y), append(v.rho, 1/sy)
	}
}

// recycled returns two vectors for the next pair, the oldest ones when the
// history is full.
func (v *solver) recycled() (s, y []float64) {
	if len(v.s) < v.pairs {
		return make([]float64, len(v.w)), make([]float64, len(v.w))
	}
	s, y = v.s[0], v.y[0]
	copy(v.s, v.s[1:])
	copy(v.y, v.y[1:])
	copy(v.rho, v.rho[1:])
	last := len(v.s) - 1
	v.s, v.y, v.rho = v.s[:last], v.y[:last], v.rho[:last]
	return s, y
}

func dot(x, y []float64) float64 {
	// Four sums, since one would wait for each addition in turn.
	var a, b, c, d float64
	i := 0
	for ; i+4 <= len(x); i += 4 {
		a += x[i] * y[i]
		b += x[i+1] * y[i+1]
		c += x[i+2] * y[i+2]
		d += x[i+3] * y[i+3]
	}
	for ; i < len(x); i++ {
		a += x[i] * y[i]
	}
	return (a + b) + (c + d)
}

func axpy(a float64, x, y []float64) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] += a * v
	}
}

func weightedSquare(x, weight []float64) float64 {
	sum := 0.0
	for i, v := range x {
		sum += v * v * weight[i]
	}
	return sum
}

func maxAbs(x []float64) float64 {
	top := 0.0
	for _, v := range x {
		top = max(top, math.Abs(v))
	}
	return top
}
