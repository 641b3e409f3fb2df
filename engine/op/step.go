package op

import (
	"atoll/engine/ir"
	"atoll/kernels"
)

// stepOf is the program's step vector. Gradient kernels read it to know whether to add to what is there; it is not an
// operand of their nodes, since it changes nothing about what they mean.
func stepOf(b *ir.Builder) ir.ID {
	return b.Named(ir.Value{Name: ir.StepInput, Kind: ir.Input, Shape: []int{kernels.StepSize}})
}
