package kerneltest

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"atoll/kernels"
)

// compare holds output i of a device against ref in the same precision (want) and ref in fp32 (exact).
func compare(c Case, l *layout, i int, got, want, exact []float32) error {
	p := l.args[i]
	r := ruleOf(c, p.name)
	if r.exact {
		return differences(p, got, want, 0, "")
	}
	limit := r.relative * math.Max(largest(exact), r.floor)
	if roundedWeights(c, p.name) {
		return compareRounded(p, got, want, limit)
	}
	why := fmt.Sprintf("%.2g of the largest magnitude", r.relative)
	if precision := l.calls[0].Precision; precision != kernels.F32 {
		if p.dtype != kernels.F32 {
			limit += roundingUnit(precision) * largest(exact)
		}
		limit += 2 * largestError(want, exact)
		why = "twice the error of ref in " + precision.String() + ", one rounding and the error of fp32"
	}
	return differences(p, got, exact, limit, why)
}

// differences is an error that names the worst element where got is further than limit from want.
func differences(p placed, got, want []float32, limit float64, why string) error {
	count, worst, worstError := 0, 0, -1.0
	for i := range got {
		e := distance(got[i], want[i])
		if e <= limit {
			continue
		}
		count++
		if e > worstError {
			worst, worstError = i, e
		}
	}
	if count == 0 {
		return nil
	}
	return fmt.Errorf("%s%v is %v, want %v: off by %.3g, at most %.3g allowed (%s); %d of %d elements are wrong",
		p.name, coordinates(worst, p.shape), got[worst], want[worst], worstError, limit, why, count, len(got))
}

// distance is |a-b|; 0 for equal infinities and for two NaNs, infinite where only one is not finite.
func distance(a, b float32) float64 {
	x, y := float64(a), float64(b)
	if x == y || math.IsNaN(x) && math.IsNaN(y) {
		return 0
	}
	d := math.Abs(x - y)
	if math.IsNaN(d) {
		return math.Inf(1)
	}
	return d
}

// largest is the largest finite magnitude in x.
func largest(x []float32) float64 {
	most := 0.0
	for _, v := range x {
		if m := math.Abs(float64(v)); m > most && !math.IsInf(m, 0) {
			most = m
		}
	}
	return most
}

// largestError is the largest finite distance between a and b.
func largestError(a, b []float32) float64 {
	most := 0.0
	for i := range a {
		if d := distance(a[i], b[i]); d > most && !math.IsInf(d, 0) {
			most = d
		}
	}
	return most
}

// roundingUnit is the largest relative error of one rounding to the precision: half an ulp of 1.
func roundingUnit(precision kernels.DType) float64 {
	if precision == kernels.BF16 {
		return 1.0 / (1 << 8)
	}
	return 1.0 / (1 << 11)
}

// shapeOf is the shape of argument i, such as N, 3, C, as numbers.
func shapeOf(call *kernels.Call, i int) []int64 {
	var shape []int64
	for factor := range strings.SplitSeq(kernels.SignatureOf(call.Kernel).Args[i].Shape, "*") {
		v, err := strconv.ParseInt(factor, 10, 64)
		if err != nil {
			v = call.Dim(factor)
		}
		shape = append(shape, v)
	}
	if call.DTypeOf(i) == kernels.I32 {
		shape = append(shape, 2) // halves of words
	}
	return shape
}

// coordinates of the element at a flat index.
func coordinates(index int, shape []int64) []int64 {
	at := make([]int64, len(shape))
	rest := int64(index)
	for i := len(shape) - 1; i >= 0; i-- {
		at[i] = rest % shape[i]
		rest /= shape[i]
	}
	return at
}
