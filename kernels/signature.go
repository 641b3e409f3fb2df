package kernels

import (
	"fmt"
	"strconv"
	"strings"
)

// Class is what an argument holds.
type Class uint8

const (
	Act     Class = iota // activations and their gradients, in the call's precision
	Float                // always fp32: weights, their gradients, statistics, losses
	Integer              // int32: tokens, targets, lengths, seeds
	Words                // 32-bit words of a packed weight, see Format
)

// Access is what a kernel does with an argument.
type Access uint8

const (
	In    Access = iota // read
	Out                 // written whole; what was there does not matter
	InOut               // read and written: optimizer state, caches
	Sum                 // written or added to, as a Mode in the dims says
)

// Arg is one argument of a kernel.
type Arg struct {
	Name     string
	Class    Class
	Access   Access
	Shape    string // a product of dims and numbers, such as "N*3*C"
	Optional bool
}

// Signature is what a Call of the kernel must look like.
type Signature struct {
	Name    string
	Args    []Arg
	Dims    []string
	Scalars []string
}

// SignatureOf is the table's entry for k, which must be below Count.
func SignatureOf(k Kernel) *Signature { return &signatures[k] }

func in(name string, class Class, shape string) Arg    { return Arg{name, class, In, shape, false} }
func out(name string, class Class, shape string) Arg   { return Arg{name, class, Out, shape, false} }
func inout(name string, class Class, shape string) Arg { return Arg{name, class, InOut, shape, false} }
func sum(name string, class Class, shape string) Arg   { return Arg{name, class, Sum, shape, false} }
func optional(a Arg) Arg                               { a.Optional = true; return a }

// signatures is data, read only. Optional outputs are left out where nobody reads them.
//
// Dims that end in "Mode" are one of Overwrite, Accumulate, ByStep; "transposed" is 0 for a weight [I, O] and 1 for
// [O, I]; "salt" makes the random numbers of one dropout, or of one rounding, differ from another's.
var signatures = [Count]Signature{
	Embed: {"embed", []Arg{out("out", Act, "B*T*C"), in("tokens", Integer, "B*T"), in("wte", Float, "V*C"),
		in("wpe", Float, "P*C"), optional(in("start", Integer, "1"))}, // start: the position of the first row, 0 where absent
		[]string{"B", "T", "C", "V", "P"}, nil},
	EmbedBackward: {"embed.backward", []Arg{sum("dwte", Float, "V*C"), sum("dwpe", Float, "P*C"), in("dout", Act, "B*T*C"),
		in("tokens", Integer, "B*T"), in("step", Float, "8")},
		[]string{"B", "T", "C", "V", "P", "wteMode", "wpeMode"}, nil},
	LayerNorm: {"layernorm", []Arg{out("out", Act, "N*C"), optional(out("mean", Float, "N")), optional(out("rstd", Float, "N")),
		in("x", Act, "N*C"), in("g", Float, "C"), in("b", Float, "C")},
		[]string{"N", "C"}, []string{"epsilon"}},
	LayerNormBackward: {"layernorm.backward", []Arg{out("dx", Act, "N*C"), optional(sum("dg", Float, "C")), optional(sum("db", Float, "C")),
		in("dy", Act, "N*C"), in("x", Act, "N*C"), in("g", Float, "C"), in("mean", Float, "N"), in("rstd", Float, "N"),
		optional(in("dres", Act, "N*C")), in("step", Float, "8")}, // dres: the gradient that passes by the norm, added to dx
		[]string{"N", "C", "mode"}, nil},
	Linear: {"linear", []Arg{out("y", Act, "N*O"), optional(out("pre", Act, "N*O")), in("x", Act, "N*I"), in("w", Float, "I*O"),
		optional(in("b", Float, "O")), optional(in("res", Act, "N*O"))}, // y = gelu?(x·w + b) + res; pre: what goes into the GELU, rounded
		[]string{"N", "I", "O", "transposed", "gelu"}, nil},
	LinearDX: {"linear.dx", []Arg{out("dx", Act, "N*I"), in("dy", Act, "N*O"), in("w", Float, "I*O"),
		optional(in("pre", Act, "N*I")), optional(in("dres", Act, "N*I"))}, // dx = dy·wᵀ * gelu'(pre) + dres
		[]string{"N", "I", "O", "transposed"}, nil},
	LinearDW: {"linear.dw", []Arg{optional(sum("dw", Float, "I*O")), optional(sum("db", Float, "O")), in("x", Act, "N*I"), in("dy", Act, "N*O"),
		in("step", Float, "8")},
		[]string{"N", "I", "O", "transposed", "mode"}, nil},
	Attention: {"attention", []Arg{out("out", Act, "B*T*C"), optional(out("lse", Float, "B*H*T")), in("qkv", Act, "B*T*3*C"),
		optional(in("lengths", Integer, "B")), optional(in("seed", Integer, "2"))},
		[]string{"B", "T", "C", "H", "salt"}, []string{"dropout"}},
	AttentionBackward: {"attention.backward", []Arg{out("dqkv", Act, "B*T*3*C"), in("dout", Act, "B*T*C"), in("qkv", Act, "B*T*3*C"),
		in("out", Act, "B*T*C"), in("lse", Float, "B*H*T"), optional(in("lengths", Integer, "B")), optional(in("seed", Integer, "2"))},
		[]string{"B", "T", "C", "H", "salt"}, []string{"dropout"}},
	AttentionCached: {"attention.cached", []Arg{out("out", Act, "B*T*C"), in("qkv", Act, "B*T*3*C"), inout("keys", Act, "B*P*C"),
		inout("values", Act, "B*P*C"), in("start", Integer, "1")}, // rows start..start+T-1 of the caches are written, then read with all before
		[]string{"B", "T", "C", "H", "P"}, nil},
	Add: {"add", []Arg{out("out", Act, "N"), in("a", Act, "N"), in("b", Act, "N")}, []string{"N"}, nil},
	Dropout: {"dropout", []Arg{out("y", Act, "N"), in("x", Act, "N"), optional(in("res", Act, "N")), in("seed", Integer, "2")},
		[]string{"N", "salt"}, []string{"dropout"}},
	HeadLoss: {"head.loss", []Arg{sum("loss", Float, "1"), optional(out("rows", Float, "N")), optional(out("dh", Act, "N*C")),
		optional(sum("dwte", Float, "V*C")), in("h", Act, "N*C"), in("wte", Float, "V*C"), in("targets", Integer, "N"),
		in("step", Float, "8"), out("logits", Float, "R*LD")}, // logits: room for a chunk of R rows of V, LD from one to the next
		[]string{"N", "C", "V", "R", "LD", "lossMode", "mode"}, nil},
	Pool: {"pool", []Arg{out("out", Float, "B*C"), in("x", Act, "B*T*C"), in("lengths", Integer, "B")},
		[]string{"B", "T", "C"}, nil},
	PoolBackward: {"pool.backward", []Arg{out("dx", Act, "B*T*C"), in("dout", Float, "B*C"), in("lengths", Integer, "B")},
		[]string{"B", "T", "C"}, nil},
	ClassLoss: {"class.loss", []Arg{sum("loss", Float, "1"), optional(out("rows", Float, "B")), optional(out("dlogits", Float, "B*K")),
		in("logits", Float, "B*K"), in("labels", Integer, "B"), optional(in("weights", Float, "K")), in("step", Float, "8")},
		[]string{"B", "K", "lossMode"}, nil},
	BinaryLoss: {"binary.loss", []Arg{sum("loss", Float, "1"), optional(out("rows", Float, "B")), optional(out("dlogits", Float, "B*K")),
		in("logits", Float, "B*K"), in("targets", Float, "B*K"), optional(in("weights", Float, "K")), in("step", Float, "8")},
		[]string{"B", "K", "lossMode"}, nil},
	GradNorm: {"grad.norm", []Arg{out("norm", Float, "1"), in("grads", Float, "N")}, []string{"N"}, nil},
	AdamW: {"adamw", []Arg{inout("weights", Float, "N"), inout("m", Float, "N"), inout("v", Float, "N"), in("grads", Float, "N"),
		in("norm", Float, "1"), in("loss", Float, "1"), in("step", Float, "8"), optional(in("seed", Integer, "2"))}, // seed: weights are rounded to bf16
		[]string{"N", "salt"}, []string{"beta1", "beta2", "epsilon", "decay", "clip"}},
	GELUBackward: {"gelu.backward", []Arg{out("dpre", Act, "N"), in("dy", Act, "N"), in("pre", Act, "N")}, []string{"N"}, nil},
	GELU:         {"gelu", []Arg{out("out", Act, "N"), in("pre", Act, "N")}, []string{"N"}, nil},
	Pack:         {"pack", []Arg{out("packed", Words, "S"), in("w", Float, "I*O")}, []string{"I", "O", "transposed", "format", "S"}, nil},
	LinearPacked: {"linear.packed", []Arg{out("y", Act, "N*O"), in("x", Act, "N*I"), in("packed", Words, "S"),
		optional(in("b", Float, "O")), optional(in("res", Act, "N*O")), optional(out("pre", Act, "N*O"))}, // as linear
		[]string{"N", "I", "O", "gelu", "format", "S", "stream"}, nil}, // stream: a row's bits may depend on N
	// Begins as LinearDW does: lower.NormAlong turns the one into the other.
	LinearDWNorm: {"linear.dw.norm", []Arg{sum("dw", Float, "I*O"), optional(sum("db", Float, "O")), in("x", Act, "N*I"), in("dy", Act, "N*O"),
		in("step", Float, "8"), out("norm", Float, "1")},
		[]string{"N", "I", "O", "transposed", "mode"}, nil},
	GradNormRest: {"grad.norm.rest", []Arg{out("norm", Float, "1"), in("grads", Float, "N"), in("norms", Float, "P")}, // the root of all their squares
		[]string{"N", "P"}, nil},
	// Begin as HeadLoss and EmbedBackward do: lower.NormAlong, too. Of an embedding that is not added to, the second's norm is that of all rows.
	HeadLossNorm: {"head.loss.norm", []Arg{sum("loss", Float, "1"), optional(out("rows", Float, "N")), optional(out("dh", Act, "N*C")),
		sum("dwte", Float, "V*C"), in("h", Act, "N*C"), in("wte", Float, "V*C"), in("targets", Integer, "N"), in("step", Float, "8"),
		out("logits", Float, "R*LD"), in("tokens", Integer, "N"), out("norm", Float, "1")},
		[]string{"N", "C", "V", "R", "LD", "lossMode", "mode"}, nil},
	EmbedBackwardNorm: {"embed.backward.norm", []Arg{sum("dwte", Float, "V*C"), sum("dwpe", Float, "P*C"), in("dout", Act, "B*T*C"),
		in("tokens", Integer, "B*T"), in("step", Float, "8"), out("norm", Float, "1")},
		[]string{"B", "T", "C", "V", "P", "wteMode", "wpeMode"}, nil},
	LinearDXPacked: {"linear.dx.packed", []Arg{out("dx", Act, "N*I"), in("dy", Act, "N*O"), in("packed", Words, "I*O"),
		optional(in("pre", Act, "N*I")), optional(in("dres", Act, "N*I"))}, // as linear.dx
		[]string{"N", "I", "O"}, nil},
	AdamWPacked: {"adamw.packed", []Arg{inout("weights", Float, "I*O"), inout("m", Float, "I*O"), inout("v", Float, "I*O"), out("packed", Words, "I*O"),
		in("grads", Float, "I*O"), in("norm", Float, "1"), in("loss", Float, "1"), in("step", Float, "8")},
		[]string{"I", "O"}, []string{"beta1", "beta2", "epsilon", "decay", "clip"}},
}

// Dim is the value of the named dim of c; a name the kernel lacks is a mistake in the caller and gives -1.
func (c *Call) Dim(name string) int64 {
	for i, d := range SignatureOf(c.Kernel).Dims {
		if d == name {
			return c.Dims[i]
		}
	}
	return -1
}

// Elements is how many elements argument i of c has, by the shape in the signature.
func (c *Call) Elements(i int) (int64, error) {
	n := int64(1)
	for factor := range strings.SplitSeq(SignatureOf(c.Kernel).Args[i].Shape, "*") {
		v, err := strconv.ParseInt(factor, 10, 64)
		if err != nil {
			v = c.Dim(factor)
		}
		if v < 0 || v > 0 && n > (1<<48)/v {
			return 0, fmt.Errorf("%v: argument %s has shape %s, and %s is %d: want dims of 0 or more whose product is below 2^48",
				c.Kernel, SignatureOf(c.Kernel).Args[i].Name, SignatureOf(c.Kernel).Args[i].Shape, factor, v)
		}
		n *= v
	}
	return n, nil
}

// DTypeOf is the element type of argument i of c.
func (c *Call) DTypeOf(i int) DType {
	switch SignatureOf(c.Kernel).Args[i].Class {
	case Float:
		return F32
	case Integer, Words:
		return I32
	}
	return c.Precision
}

// Check holds c against the table and the sizes of the segments, in bytes.
func (c *Call) Check(segments []int64) error {
	if c.Kernel >= Count {
		return fmt.Errorf("kernel %d: want a number below %d", c.Kernel, Count)
	}
	if c.Precision > F16 {
		return fmt.Errorf("%v: precision is %v, want fp32, bf16 or fp16", c.Kernel, c.Precision)
	}
	for i, a := range SignatureOf(c.Kernel).Args {
		if err := c.checkArg(i, a, segments); err != nil {
			return err
		}
	}
	return c.checkValues()
}

func (c *Call) checkArg(i int, a Arg, segments []int64) error {
	ref := c.Args[i]
	if ref == None {
		if a.Optional {
			return nil
		}
		return fmt.Errorf("%v: argument %s is absent, and it is not optional", c.Kernel, a.Name)
	}
	n, err := c.Elements(i)
	if err != nil {
		return err
	}
	if ref.Segment() >= len(segments) {
		return fmt.Errorf("%v: argument %s is in segment %d, and there are %d", c.Kernel, a.Name, ref.Segment(), len(segments))
	}
	size := c.DTypeOf(i).Size()
	end := ref.Offset() + n*int64(size)
	if end > segments[ref.Segment()] || ref.Offset()%int64(size) != 0 {
		return fmt.Errorf("%v: argument %s (%s, %d of %v) is at %d..%d of segment %d, which has %d bytes",
			c.Kernel, a.Name, a.Shape, n, c.DTypeOf(i), ref.Offset(), end, ref.Segment(), segments[ref.Segment()])
	}
	return nil
}
