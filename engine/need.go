package engine

import (
	"atoll/engine/ir"
	"atoll/engine/plan"
)

// Need is the memory, in bytes, that a store and one program over it take.
type Need struct {
	Weights, Gradients, Moments int64
	Packed                      int64 // weights laid out for products
	Caches                      int64 // of keys and values
	Ends                        int64 // inputs and outputs
	Inputs                      int64 // of Ends; twice as much more where they are handed over ahead
	Activations                 int64 // all temporaries
	Floor                       int64 // the most of them that is alive at one instruction: no plan takes less
}

// Total is what is asked of the device.
func (n Need) Total() int64 {
	return n.Weights + n.Gradients + n.Moments + n.Packed + n.Caches + n.Ends + n.Activations
}

// Need plans a program's memory. Neither the store nor the program needs to exist: see Sketch and Lower.
func (s *Store) Need(list ir.Program) Need {
	layout := plan.Temporaries(list)
	n := Need{Weights: 4 * s.elements, Gradients: 4 * s.gradElements, Moments: 8 * s.gradElements,
		Activations: layout.Bytes, Floor: layout.Floor}
	for _, v := range cached(list) {
		n.Caches += plan.Align(v.Bytes())
	}
	for _, v := range list.Values {
		if v.Kind == ir.Packed {
			n.Packed += plan.Align(v.Bytes())
		}
		if (v.Kind == ir.Input || v.Kind == ir.Output) && !isControl(v.Name) {
			n.Ends += plan.Align(v.Bytes())
		}
		if v.Kind == ir.Input && !isControl(v.Name) {
			n.Inputs += plan.Align(v.Bytes())
		}
	}
	return n
}
