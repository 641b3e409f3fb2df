package kernels

import (
	"slices"
	"strings"
)

// Operations are the multiplications and additions of a call's matrix products; 0 for kernels that memory limits. Causal
// attention does half of its T x T products, its gradient two and a half times as many as its forward pass.
func (c *Call) Operations() float64 {
	dim := func(name string) float64 { return float64(c.Dim(name)) }
	switch c.Kernel {
	case Linear, LinearPacked, LinearDX, LinearDXPacked:
		return 2 * dim("N") * dim("I") * dim("O")
	case LinearDW, LinearDWNorm:
		if !c.has("dw") {
			return 0
		}
		return 2 * dim("N") * dim("I") * dim("O")
	case Attention:
		return 2 * dim("B") * dim("T") * dim("T") * dim("C")
	case AttentionBackward:
		return 5 * dim("B") * dim("T") * dim("T") * dim("C")
	case HeadLoss, HeadLossNorm:
		products := 1.0
		for _, gradient := range []string{"dh", "dwte"} {
			if c.has(gradient) {
				products++
			}
		}
		return 2 * products * dim("N") * dim("C") * dim("V")
	}
	return 0
}

// Traffic is the bytes that a call must at least move to and from memory: each argument once, twice where it is read and
// written.
func (c *Call) Traffic() int64 {
	bytes := int64(0)
	for i := range SignatureOf(c.Kernel).Args {
		if c.Args[i] != None {
			bytes += c.moved(i) * int64(c.DTypeOf(i).Size())
		}
	}
	return bytes
}

// moved is how many elements of argument i a call reads, and writes. What the data decides is taken at its most: all tokens
// differ, caches are full. A sum that is stored by the step's number counts as the first of its step.
func (c *Call) moved(i int) int64 {
	arg := SignatureOf(c.Kernel).Args[i]
	whole, err := c.Elements(i)
	if err != nil {
		return 0
	}
	added := arg.Access == Sum && c.Dim(SignatureOf(c.Kernel).ModeName(arg.Name)) == Accumulate
	switch c.Kernel.String() + " " + arg.Name {
	case "embed wte":
		return c.tokenRows()
	case "embed wpe":
		return c.Dim("T") * c.Dim("C")
	case "embed.backward dwte", "embed.backward.norm dwte":
		if added {
			return 2 * c.tokenRows()
		}
	case "embed.backward dwpe", "embed.backward.norm dwpe":
		if added {
			return 2 * c.Dim("T") * c.Dim("C")
		}
	case "attention.cached keys", "attention.cached values":
		return whole + c.Dim("B")*c.Dim("T")*c.Dim("C")
	case "pool x":
		return c.Dim("B") * c.Dim("C")
	case "linear.packed packed":
		if Format(c.Dim("format")) == PackedTwice {
			return whole / 2
		}
	case "linear.dx.packed packed":
		return whole / 2 // the half that is for it
	case "head.loss logits", "head.loss.norm logits":
		return 0 // room that a kernel may use or not
	}
	if added || arg.Access == InOut {
		return 2 * whole
	}
	return whole
}

// tokenRows are the elements of an embedding's rows that the tokens can name.
func (c *Call) tokenRows() int64 { return min(c.Dim("B")*c.Dim("T"), c.Dim("V")) * c.Dim("C") }

// has tells whether the named argument is there.
func (c *Call) has(name string) bool {
	at := slices.IndexFunc(SignatureOf(c.Kernel).Args, func(a Arg) bool { return a.Name == name })
	return at >= 0 && c.Args[at] != None
}

// ModeName is the dim that holds the Mode of a Sum argument. A kernel has one for each argument ("wteMode" for dwte,
// "lossMode" for loss) or one for all ("mode"); empty where the argument has none.
func (s *Signature) ModeName(arg string) string {
	for _, name := range []string{arg + "Mode", strings.TrimPrefix(arg, "d") + "Mode", "mode"} {
		if slices.Contains(s.Dims, name) {
			return name
		}
	}
	return ""
}
