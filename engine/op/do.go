package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"atoll/engine/ir"
	"atoll/kernels"
	"atoll/kernels/ref"
)

// evaluate computes one node from the values of its operands, in fp32, with the plain kernels.
func evaluate(r Rule, in []gorgonia.Value) (gorgonia.Value, error) {
	b := ir.NewBuilder()
	ids := make([]ir.ID, len(in))
	memory := map[ir.ID][]byte{}
	for i, v := range in {
		dtype, shape, data, err := contents(v)
		if err != nil {
			return nil, fmt.Errorf("%v: operand %d: %w", r, i, err)
		}
		ids[i] = b.Value(ir.Value{Kind: ir.Input, DType: dtype, Shape: shape})
		memory[ids[i]] = data
	}
	out, err := r.Lower(b, ids)
	if err != nil {
		return nil, err
	}
	p, err := b.Program()
	if err != nil {
		return nil, err
	}
	if err := interpret(p, memory); err != nil {
		return nil, fmt.Errorf("%v: %w", r, err)
	}
	data := kernels.Float32s(memory[out])
	if shape := p.Values[out].Shape; len(shape) > 0 {
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data)), nil
	}
	return gorgonia.NewF32(data[0]), nil
}

// interpret runs p on the plain kernels; values without memory start as zeros.
func interpret(p ir.Program, memory map[ir.ID][]byte) error {
	segments := make([][]byte, len(p.Values))
	for id, v := range p.Values {
		if memory[ir.ID(id)] == nil {
			memory[ir.ID(id)] = kernels.BytesOf(make([]float32, v.Elements()))[:v.Bytes()]
		}
		segments[id] = memory[ir.ID(id)]
	}
	for _, i := range p.Instrs {
		call := kernels.Call{Kernel: i.Kernel, Precision: i.Precision, Dims: i.Dims, Scalars: i.Scalars}
		for at, id := range i.Args {
			call.Args[at] = kernels.None
			if id != ir.None {
				call.Args[at] = kernels.At(int(id), 0)
			}
		}
		if err := ref.Run(&call, segments); err != nil {
			return err
		}
	}
	return nil
}

func contents(v gorgonia.Value) (kernels.DType, []int, []byte, error) {
	switch data := v.Data().(type) {
	case []float32:
		return kernels.F32, v.Shape().Clone(), kernels.BytesOf(data), nil
	case []int32:
		return kernels.I32, v.Shape().Clone(), kernels.BytesOf(data), nil
	case float32:
		return kernels.F32, nil, kernels.BytesOf([]float32{data}), nil
	}
	return 0, nil, nil, fmt.Errorf("holds %T, want float32 or int32", v.Data())
}
