package ref

import "math"

// LayerNorm gives out = (x-mean)*rstd*g + b for each of N rows of C values, with rstd = 1/sqrt(variance + epsilon) and
// the biased variance. mean and rstd, each [N], may be nil.
func LayerNorm(out, mean, rstd, x, g, b []float32, N, C int, epsilon float32) {
	for n := range N {
		row := x[n*C : (n+1)*C]
		m, r := moments(row, float64(epsilon))
		for c, v := range row {
			out[n*C+c] = float32((float64(v)-m)*r*float64(g[c]) + float64(b[c]))
		}
		if mean != nil {
			mean[n] = float32(m)
		}
		if rstd != nil {
			rstd[n] = float32(r)
		}
	}
}

// moments are the mean of row and the reciprocal of its standard deviation, the variance taken around the mean.
func moments(row []float32, epsilon float64) (mean, rstd float64) {
	for _, v := range row {
		mean += float64(v)
	}
	mean /= float64(len(row))
	variance := 0.0
	for _, v := range row {
		variance += (float64(v) - mean) * (float64(v) - mean)
	}
	return mean, 1 / math.Sqrt(variance/float64(len(row))+epsilon)
}

// LayerNormBackward gives, with xhat = (x-mean)*rstd and d = dy*g,
//
//	dx = rstd*(d - average(d) - xhat*average(d*xhat)) + dres
//
// with averages over a row, dg = the sum over rows of dy*xhat and db = the sum over rows of dy. dg, db and dres may be
// nil; accumulate is about dg and db.
func LayerNormBackward(dx, dg, db, dy, x, g, mean, rstd, dres []float32, N, C int, accumulate bool) {
	sumG, sumB := make([]float64, C), make([]float64, C)
	for n := range N {
		at := n * C
		m, r := float64(mean[n]), float64(rstd[n])
		averageD, averageDX := 0.0, 0.0
		for c := range C {
			xhat, d := (float64(x[at+c])-m)*r, float64(dy[at+c])*float64(g[c])
			averageD += d / float64(C)
			averageDX += d * xhat / float64(C)
			sumG[c] += float64(dy[at+c]) * xhat
			sumB[c] += float64(dy[at+c])
		}
		for c := range C {
			xhat, d := (float64(x[at+c])-m)*r, float64(dy[at+c])*float64(g[c])
			value := r * (d - averageD - xhat*averageDX)
			if dres != nil {
				value += float64(dres[at+c])
			}
			dx[at+c] = float32(value)
		}
	}
	putAll(dg, sumG, accumulate)
	putAll(db, sumB, accumulate)
}

func runLayerNorm(a *arguments) error {
	LayerNorm(a.float("out"), a.float("mean"), a.float("rstd"), a.float("x"), a.float("g"), a.float("b"),
		a.dim("N"), a.dim("C"), a.scalar("epsilon"))
	return nil
}

func runLayerNormBackward(a *arguments) error {
	LayerNormBackward(a.float("dx"), a.float("dg"), a.float("db"), a.float("dy"), a.float("x"), a.float("g"),
		a.float("mean"), a.float("rstd"), a.float("dres"), a.dim("N"), a.dim("C"), a.accumulate("mode"))
	return nil
}
