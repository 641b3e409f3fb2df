// Package kernels is the vocabulary that the engine and every device share: the kernels by name with the arguments
// each takes (the signature table), the record of one call, element types, and the Device interface.
//
// It computes nothing. What a kernel means is written as plain loops in kernels/ref; kernels/cpu and kernels/cuda are
// fast versions of the same table, held against ref by kernels/kerneltest. A record that breaks the table is refused by
// Check with an error that names the kernel, the argument, what was got and what was wanted.
package kernels

import "fmt"

// Kernel names a computation. The numbers are part of the C interface (kernels/cpu/program.h) and stay as they are.
type Kernel uint32

// The kernels. Letters: B batch, T sequence length, C width, H heads, V vocabulary, N rows (B*T), K classes.
const (
	Embed             Kernel = iota // out[n] = wte[tokens[n]] + wpe[n mod T]
	EmbedBackward                   // dwte, dwpe from dout, in a fixed order
	LayerNorm                       // out = (x-mean)*rstd*g + b over the C values of a row
	LayerNormBackward               // dx (+ dres), dg, db
	Linear                          // y = epilogue(x·w + b)
	LinearDX                        // dx = epilogue(dy·wᵀ)
	LinearDW                        // dw = xᵀ·dy, db = column sums of dy
	Attention                       // causal multi-head attention over a packed [q k v] row
	AttentionBackward               // its gradient, recomputing the probabilities
	AttentionCached                 // attention of new rows over a cache of keys and values
	Add                             // out = a + b
	Dropout                         // y = x*mask/(1-p) (+ res); its own gradient with dy for x
	HeadLoss                        // language head and cross-entropy with both gradients, in chunks of rows
	Pool                            // out[b] = x[b, lengths[b]-1]
	PoolBackward                    // scatters dout into a zeroed dx
	ClassLoss                       // softmax cross-entropy over K classes
	BinaryLoss                      // sigmoid cross-entropy over K labels
	GradNorm                        // the Euclidean norm of all gradients
	AdamW                           // one update with clipping and decoupled decay
	GELUBackward                    // dpre = dy * gelu'(pre), where no product has it as its epilogue
	GELU                            // out = gelu(pre): what linear stored, computed again in backward
	Pack                            // a weight laid out anew for the products that will read it (Format)
	LinearPacked                    // linear with a packed weight; in int8 the rows of x are quantized too
	LinearDWNorm                    // linear.dw, and the Euclidean norm of dw as it is stored
	GradNormRest                    // the norm of all gradients, from those of some and the others themselves
	LinearDXPacked                  // linear.dx with a weight in PackedTwice
	AdamWPacked                     // adamw of one weight, and its words in PackedTwice
	HeadLossNorm                    // head.loss, and the norm of the rows of dwte that no token names
	EmbedBackwardNorm               // embed.backward, and the norm of the rows of dwte that tokens name

	Count // how many there are
)

// HostOnly says that a device with memory of its own need not have k: no program there is compiled to use it.
func HostOnly(k Kernel) bool {
	switch k {
	case Pack, LinearPacked, LinearDXPacked, LinearDWNorm, GradNormRest, AdamWPacked, HeadLossNorm, EmbedBackwardNorm:
		return true
	}
	return false
}

// Limits of a Call, fixed by the C record.
const (
	MaxArgs    = 12
	MaxDims    = 8
	MaxScalars = 8
)

// Mode says how a gradient is stored where it may already hold a part of the sum.
const (
	Overwrite  = 0 // it is the first and only part
	Accumulate = 1 // it is added to what is there
	ByStep     = 2 // added when step[StepAccumulate] is not 0, so that one program serves every micro-batch
)

// Places in the step vector: the numbers that change from step to step while the program stays the same.
const (
	StepLossScale    = iota // a row's loss is multiplied by it: 1 / (targets of the whole step), times the scale of fp16 training
	StepLearningRate        // of this update
	StepCorrection1         // 1 - beta1^t
	StepCorrection2         // 1 - beta2^t
	StepAccumulate          // 0 for the first micro-batch of a step, 1 for the others
	StepInverseScale        // 1 / that scale: adamw multiplies the gradients and their norm by it; 1 where there is no scale
	StepSize         = 8
)

// Ref is the place of an argument: a segment (one Buffer of the program) and a byte offset in it.
type Ref uint64

// None is the Ref of an optional argument that is absent.
const None = ^Ref(0)

const offsetBits = 56

// At is the place offset bytes into segment.
func At(segment int, offset int64) Ref { return Ref(segment)<<offsetBits | Ref(offset) }

// Segment is the index of the buffer that holds the argument.
func (r Ref) Segment() int { return int(r >> offsetBits) }

// Offset is the place in the segment, in bytes.
func (r Ref) Offset() int64 { return int64(r & (1<<offsetBits - 1)) }

// Call is one kernel with its arguments, in the order of its Signature. It is laid out as the C record atoll_call.
type Call struct {
	Kernel    Kernel
	Precision DType // of every argument of class Act
	Args      [MaxArgs]Ref
	Dims      [MaxDims]int64
	Scalars   [MaxScalars]float32
}

// String gives the kernel's name, as in the signature table.
func (k Kernel) String() string {
	if k >= Count {
		return fmt.Sprintf("kernel(%d)", uint32(k))
	}
	return signatures[k].Name
}
