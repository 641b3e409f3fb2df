package kerneltest

import (
	"hash/fnv"
	"math/rand/v2"
	"slices"

	"atoll/kernels"
	"atoll/kernels/ref"
)

// unwritten is what a packed weight holds before it is written.
const unwritten = 0x7fb6ffa5

// lossScale is step[StepLossScale] of every case.
const lossScale = 1.0 / 37

// inputs are the values of all arguments of a case, in the order of the signature. Activations are already rounded to
// the precision. Those of pure outputs are 0.
type inputs struct {
	floats [kernels.MaxArgs][]float32
	ints   [kernels.MaxArgs][]int32
}

// makeInputs makes the data of a case. It depends on the case alone.
func makeInputs(c Case, precision kernels.DType) *inputs {
	values := &inputs{}
	call := c.call(precision)
	for i, arg := range kernels.SignatureOf(c.Kernel).Args {
		n, err := call.Elements(i)
		if err != nil || c.absent(arg.Name) {
			continue // a wrong case is reported by NewProgram
		}
		random := rand.New(rand.NewPCG(hash(c.Name(kernels.F32)), uint64(i)))
		switch {
		case arg.Class == kernels.Words && arg.Access == kernels.Out:
			values.ints[i] = slices.Repeat([]int32{unwritten}, int(n))
			continue
		case arg.Class == kernels.Words:
			values.ints[i] = c.words(n, random)
			continue
		case arg.Access == kernels.Out:
			values.floats[i] = make([]float32, n)
			continue
		}
		if arg.Class == kernels.Integer {
			values.ints[i] = c.integers(arg.Name, int(n), random)
			continue
		}
		values.floats[i] = c.floats(arg.Name, int(n), random)
		if arg.Class == kernels.Act {
			roundTo(values.floats[i], precision)
		}
	}
	values.derive(c, precision)
	return values
}

func hash(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return h.Sum64()
}

func roundTo(x []float32, precision kernels.DType) {
	for i, v := range x {
		x[i] = ref.Round(v, precision)
	}
}

// integers are the values of an int32 argument.
func (c Case) integers(name string, n int, random *rand.Rand) []int32 {
	if fixed, ok := c.Fixed[name]; ok {
		return slices.Repeat([]int32{int32(fixed)}, n)
	}
	switch name {
	case "tokens":
		return indexes(n, c.dim("V"), 0, random)
	case "targets":
		return indexes(n, c.dim("V"), 5, random)
	case "labels":
		return indexes(n, c.dim("K"), 5, random)
	case "lengths":
		if c.Lengths != nil {
			return c.Lengths
		}
		return indexes(n, c.dim("T")+1, 0, random)
	case "start":
		return []int32{c.Start}
	}
	return []int32{-1234567, 89} // the seed of a dropout
}

// indexes are n random numbers below bound; where ignore is not 0 every ignore-th of them is -1.
func indexes(n int, bound int64, ignore int, random *rand.Rand) []int32 {
	x := make([]int32, n)
	for i := range x {
		x[i] = int32(random.Int64N(bound))
		if ignore > 0 && i%ignore == ignore-1 {
			x[i] = -1
		}
	}
	return x
}

// floats are the values of a float argument: uniform in -1 to 1, scaled and moved, unless its meaning asks for others.
func (c Case) floats(name string, n int, random *rand.Rand) []float32 {
	if name == "step" {
		inverse := c.Inverse
		if inverse == 0 {
			inverse = 1
		}
		return []float32{lossScale, 0.1, 0.3, 0.2, c.Step, inverse, 0, 0}
	}
	scale, ok := c.Scale[name]
	if !ok {
		scale = 1
	}
	shape, offset := c.distribution(name), c.Offset[name]
	fixed, isFixed := c.Fixed[name]
	x := make([]float32, n)
	for i := range x {
		x[i] = scale*shape(i, float32(random.Uint32())/(1<<31)-1) + offset
		if isFixed {
			x[i] = fixed
		}
	}
	return x
}

// distribution is how an argument turns u, uniform in -1 to 1, into its element i.
func (c Case) distribution(name string) func(i int, u float32) float32 {
	linear := func(offset, factor float32) func(int, float32) float32 {
		return func(_ int, u float32) float32 { return offset + factor*u }
	}
	switch c.Kernel.String() + " " + name {
	case "layernorm x", "layernorm.backward x":
		// No row has a variance near 0, where fp32 has no digits left.
		return func(i int, u float32) float32 { return u + float32(i%2*2-1) }
	case "attention qkv", "attention.backward qkv", "attention.cached qkv", "attention.cached keys", "attention.cached values":
		return linear(0, 2.5) // probabilities far from equal
	case "gelu.backward pre", "linear.dx pre", "linear.dx.packed pre", "gelu pre":
		return linear(0, 6)
	case "class.loss weights", "binary.loss weights":
		return linear(1.6, 1.4)
	case "adamw v", "adamw.packed v":
		return linear(0.5, 0.5)
	case "adamw norm", "adamw.packed norm":
		return linear(3, 1)
	case "binary.loss targets":
		K := int(c.dim("K"))
		return func(i int, u float32) float32 { return binaryTarget(i, K, u) }
	}
	return linear(0, 1)
}

// binaryTarget is 0, 1 or, for some labels, between them; every fifth row is ignored.
func binaryTarget(i, K int, u float32) float32 {
	switch {
	case (i/K)%5 == 4:
		return -1
	case i%7 == 3:
		return (1 + u) / 2
	case u > 0:
		return 1
	}
	return 0
}

// derive replaces the inputs of a backward kernel that its forward kernel would have made.
func (v *inputs) derive(c Case, precision kernels.DType) {
	at := func(name string) int {
		for i, arg := range kernels.SignatureOf(c.Kernel).Args {
			if arg.Name == name {
				return i
			}
		}
		return -1
	}
	switch c.Kernel {
	case kernels.LayerNormBackward:
		x, C := v.floats[at("x")], int(c.dim("C"))
		zeros := make([]float32, C)
		ref.LayerNorm(make([]float32, len(x)), v.floats[at("mean")], v.floats[at("rstd")], x, zeros, zeros,
			int(c.dim("N")), C, 1e-5)
	case kernels.AttentionBackward:
		ref.Attention(v.floats[at("out")], v.floats[at("lse")], v.floats[at("qkv")], v.ints[at("lengths")], v.ints[at("seed")],
			ref.AttentionShape{B: int(c.dim("B")), T: int(c.dim("T")), C: int(c.dim("C")), H: int(c.dim("H")),
				Salt: int(c.dim("salt")), Dropout: c.Scalars[0], Precision: precision})
		roundTo(v.floats[at("out")], precision)
	case kernels.HeadLoss, kernels.HeadLossNorm:
		targets := v.ints[at("targets")]
		if _, fixed := c.Fixed["targets"]; !fixed && len(targets) > 2 {
			targets[0], targets[1] = 0, int32(c.dim("V"))-1 // the ends of the vocabulary
		}
	}
}
