package ref

import "math"

// The tanh form of GELU (gelu_new in Transformers): x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3))).
const (
	geluScale = 0.7978845608028654 // sqrt(2/pi)
	geluCubic = 0.044715
)

// GELU is the tanh form of the Gaussian error linear unit.
func GELU(x float64) float64 {
	return 0.5 * x * (1 + math.Tanh(geluScale*(x+geluCubic*x*x*x)))
}

// GELUDerivative is the derivative of GELU at x.
func GELUDerivative(x float64) float64 {
	t := math.Tanh(geluScale * (x + geluCubic*x*x*x))
	return 0.5*(1+t) + 0.5*x*(1-t*t)*geluScale*(1+3*geluCubic*x*x)
}

// GELUForward gives out = gelu(pre).
func GELUForward(out, pre []float32) {
	for i, x := range pre {
		out[i] = float32(GELU(float64(x)))
	}
}

// GELUBackward gives dpre = dy * gelu'(pre).
func GELUBackward(dpre, dy, pre []float32) {
	for i, x := range pre {
		dpre[i] = float32(float64(dy[i]) * GELUDerivative(float64(x)))
	}
}

func runGELU(a *arguments) error {
	GELUForward(a.float("out"), a.float("pre"))
	return nil
}

func runGELUBackward(a *arguments) error {
	GELUBackward(a.float("dpre"), a.float("dy"), a.float("pre"))
	return nil
}
