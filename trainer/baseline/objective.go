package baseline

import "math"

// objective is the function that a fit minimises over the weights
// w [columns+1, k], the last row being the bias:
//
//	1/N sum of losses + ridge/2 * |w without bias|^2
//
// which is scikit-learn's LogisticRegression with ridge = 1/(C N). With k = 1
// the loss is binary cross-entropy with one logit a document, otherwise
// cross-entropy over k logits.
type objective struct {
	*matrix
	k       int
	ridge   float64
	targets []int32 // class of each document; with k = 1, 0 or 1
	threads int
	losses  []float64 // [rows], by document so that their sum has one order
}

// residual sets out [rows, k] to the losses' derivative by the logits z and
// returns the mean loss.
func (o *objective) residual(z, out []float64) float64 {
	parallel(o.rows, o.threads, func(lo, hi int) {
		for r := lo; r < hi; r++ {
			if o.k == 1 {
				o.losses[r], out[r] = binaryLoss(z[r], float64(o.targets[r]))
			} else {
				o.losses[r] = softmaxLoss(z[r*o.k:(r+1)*o.k], int(o.targets[r]), out[r*o.k:(r+1)*o.k])
			}
		}
	})
	sum := 0.0
	for _, l := range o.losses {
		sum += l
	}
	return sum / float64(o.rows)
}

// gradient sets out to the objective's gradient at w, whose logits have the
// given residual.
func (o *objective) gradient(w, residual, out []float64) {
	o.multiplyTransposed(residual, o.k, o.threads, out)
	n, ridged := 1/float64(o.rows), o.columns*o.k
	for i := range out {
		out[i] *= n
		if i < ridged {
			out[i] += o.ridge * w[i]
		}
	}
}

// curvature returns for every weight an estimate of the second derivative at
// the start, the diagonal by which the solver scales its steps.
func (o *objective) curvature() []float64 {
	// The second derivative of the loss by a logit at equal probabilities.
	p := 1 / float64(max(o.k, 2))
	h := p * (1 - p)
	d := make([]float64, (o.columns+1)*o.k)
	for c := range o.columns {
		sum := 0.0
		for i := o.columnStart[c]; i < o.columnStart[c+1]; i++ {
			sum += float64(o.columnValue[i]) * float64(o.columnValue[i])
		}
		for j := range o.k {
			d[c*o.k+j] = h*sum/float64(o.rows) + o.ridge
		}
	}
	for j := range o.k {
		d[o.columns*o.k+j] = h
	}
	return d
}

// binaryLoss returns the loss of logit z for target y (0 or 1) and its
// derivative.
func binaryLoss(z, y float64) (loss, derivative float64) {
	// log(1 + e^z) - y z, arranged so that neither sign overflows.
	e := math.Exp(-math.Abs(z))
	loss = math.Log1p(e) + max(z, 0) - y*z
	if z >= 0 {
		return loss, 1/(1+e) - y
	}
	return loss, e/(1+e) - y
}

// softmaxLoss returns the cross-entropy of logits z for the target class and
// sets out to its derivative.
func softmaxLoss(z []float64, target int, out []float64) float64 {
	top := z[0]
	for _, v := range z[1:] {
		top = max(top, v)
	}
	sum := 0.0
	for j, v := range z {
		out[j] = math.Exp(v - top)
		sum += out[j]
	}
	for j := range out {
		out[j] /= sum
	}
	out[target]--
	return math.Log(sum) + top - z[target]
}
