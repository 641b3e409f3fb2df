package ref

import "atoll/kernels"

// Linear gives y = gelu?(x·w + b) + res for x [N,I] and w [I,O], or w [O,I] where transposed. pre [N,O] receives what
// goes into the GELU, which is rounded to the precision first: so backward sees the same number, and GELU of what was stored
// is what was stored of GELU. pre, b and res may be nil.
func Linear(y, pre, x, w, b, res []float32, N, I, O int, transposed, gelu bool, precision kernels.DType) {
	sums := make([]float64, O)
	for n := range N {
		product(sums, x[n*I:(n+1)*I], w, transposed)
		for o, value := range sums {
			if b != nil {
				value += float64(b[o])
			}
			if pre != nil {
				pre[n*O+o] = float32(value)
			}
			if gelu {
				value = GELU(float64(Round(float32(value), precision)))
			}
			if res != nil {
				value += float64(res[n*O+o])
			}
			y[n*O+o] = float32(value)
		}
	}
}

// LinearDX gives dx = dy·wᵀ * gelu'(pre) + dres: the gradient of Linear's input, for dy [N,O] and w as in Linear. pre
// and dres, each [N,I], may be nil; pre is what went into the GELU that made x.
func LinearDX(dx, dy, w, pre, dres []float32, N, I, O int, transposed bool) {
	sums := make([]float64, I)
	for n := range N {
		product(sums, dy[n*O:(n+1)*O], w, !transposed)
		for i, value := range sums {
			if pre != nil {
				value *= GELUDerivative(float64(pre[n*I+i]))
			}
			if dres != nil {
				value += float64(dres[n*I+i])
			}
			dx[n*I+i] = float32(value)
		}
	}
}

// LinearDW gives dw = xᵀ·dy, stored as Linear's w, and db = the column sums of dy. Either may be nil; accumulate is
// about both.
func LinearDW(dw, db, x, dy []float32, N, I, O int, transposed, accumulate bool) {
	sumW, sumB := make([]float64, len(dw)), make([]float64, len(db))
	for n := range N {
		row := dy[n*O : (n+1)*O]
		for o := range sumB {
			sumB[o] += float64(row[o])
		}
		if dw == nil {
			continue
		}
		if transposed {
			addOuter(sumW, row, x[n*I:(n+1)*I])
		} else {
			addOuter(sumW, x[n*I:(n+1)*I], row)
		}
	}
	putAll(dw, sumW, accumulate)
	putAll(db, sumB, accumulate)
}

// product sets y = x·w for w [len(x), len(y)], or w [len(y), len(x)] where transposed.
func product(y []float64, x, w []float32, transposed bool) {
	clear(y)
	if transposed {
		for o := range y {
			y[o] = dot(x, w[o*len(x):(o+1)*len(x)])
		}
		return
	}
	for i, v := range x {
		row := w[i*len(y) : (i+1)*len(y)]
		for o := range y {
			y[o] += float64(v) * float64(row[o])
		}
	}
}

// addOuter adds the outer product of column and row to sums, [len(column), len(row)].
func addOuter(sums []float64, column, row []float32) {
	for i, v := range column {
		into := sums[i*len(row) : (i+1)*len(row)]
		for j, u := range row {
			into[j] += float64(v) * float64(u)
		}
	}
}

// dot is the inner product of x and y.
func dot(x, y []float32) float64 {
	sum := 0.0
	for i, v := range x {
		sum += float64(v) * float64(y[i])
	}
	return sum
}

func runLinear(a *arguments) error {
	Linear(a.float("y"), a.float("pre"), a.float("x"), a.weight("w"), a.float("b"), a.float("res"),
		a.dim("N"), a.dim("I"), a.dim("O"), a.flag("transposed"), a.flag("gelu"), a.call.Precision)
	return nil
}

func runLinearDX(a *arguments) error {
	LinearDX(a.float("dx"), a.float("dy"), a.weight("w"), a.float("pre"), a.float("dres"),
		a.dim("N"), a.dim("I"), a.dim("O"), a.flag("transposed"))
	return nil
}

func runLinearDW(a *arguments) error {
	LinearDW(a.float("dw"), a.float("db"), a.float("x"), a.float("dy"),
		a.dim("N"), a.dim("I"), a.dim("O"), a.flag("transposed"), a.accumulate("mode"))
	return nil
}

func runLinearDWNorm(a *arguments) error {
	if err := runLinearDW(a); err != nil {
		return err
	}
	a.float("norm")[0] = GradNorm(a.float("dw"))
	return nil
}
