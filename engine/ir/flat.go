package ir

import "atoll/kernels"

// Names of the flat views of a model's memory that the optimizer works on: all parameters after one another, each at the
// same element of the gradients and of both moments. Padding between tensors is zero in all four.
const (
	FlatWeights = "weights."
	FlatGrads   = "grads."
	FlatMoment1 = "moment1."
	FlatMoment2 = "moment2."
)

// Names of the values that pass between the host and every program of a model.
const (
	StepInput = "step"      // fp32 [kernels.StepSize]: the numbers that change from step to step
	SeedInput = "seed"      // int32 [2]: the key of the random numbers of dropout and of rounded weights
	Loss      = "loss"      // the scaled sum of the rows' losses
	GradNorm  = "grad_norm" // the Euclidean norm of all gradients, before clipping
)

// BlockPrefix begins the name of a temporary that goes into a transformer block, or comes out of the last one; its number
// follows.
const BlockPrefix = "block."

// GradPrefix begins the name of a parameter's gradient, TwicePrefix that of the parameter laid out in its place (InGrad); the parameter's name follows.
const (
	GradPrefix  = "grad."
	TwicePrefix = "twice."
)

// PackedName is the name of a copy of a parameter in a format, by the way in which the parameter is stored.
func PackedName(parameter string, format kernels.Format, transposed bool) string {
	name := parameter + ".packed." + format.String()
	if transposed {
		name += ".transposed"
	}
	return name
}

// Range is a run of parameters that are updated alike: Length elements of the flat weights from First on, whose gradients
// and moments start at FirstGrad.
type Range struct {
	First, FirstGrad, Length int64
	Decay                    bool
}

// Span is where a parameter's gradient lies in the flat gradients.
type Span struct {
	Name          string // of the parameter
	First, Length int64
}
