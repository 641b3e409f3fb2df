package engine

import (
	"slices"
	"strings"

	"atoll/engine/ir"
	"atoll/engine/lower"
	"atoll/kernels"
)

// Between steps the optimizer leaves weights laid out for products in the place of their gradients (lower.PackAlong). A store notes which (held):
// they hold until gradients or weights are written otherwise, and the next program that reads them lays them out anew.

// along is what a program reads there.
type along struct {
	names string          // lower.LaidAlong
	fill  kernels.Program // lays them out
}

// newAlong prepares what the list reads in the place of gradients; nil where that is nothing.
func (s *Store) newAlong(list ir.Program) (*along, error) {
	names := lower.LaidAlong(list)
	if names == "" {
		return nil, nil
	}
	once := slices.DeleteFunc(slices.Clone(list.Once), func(i ir.Instr) bool { return list.Values[i.Arg("packed")].Kind != ir.InGrad })
	fill, err := s.laying(list, once, s.grads, func(v ir.Value) (kernels.Ref, error) { return s.locateInGrad(v, 0) })
	if err != nil {
		return nil, err
	}
	return &along{names, fill}, nil
}

// locateInGrad finds a weight laid out in the place of its gradient.
func (s *Store) locateInGrad(v ir.Value, within int64) (kernels.Ref, error) {
	return s.locate(ir.Value{Name: ir.GradPrefix + strings.TrimPrefix(v.Name, ir.TwicePrefix), Kind: ir.Grad, Shape: v.Shape}, within)
}

// begin lays out what the program reads in the place of gradients, unless the last step has.
func (p *Program) begin() error {
	if p.along == nil || p.store.held == p.along.names {
		return nil
	}
	if err := p.along.fill.Run(); err != nil {
		return err
	}
	p.store.held = p.along.names
	return nil
}

// end notes what lies in the place of gradients after a run that ended with err, which it gives back.
func (p *Program) end(err error) error {
	switch {
	case p.along != nil && err == nil:
		p.store.held = p.along.names
	case p.along != nil || p.writesGradients:
		p.store.held = ""
	}
	return err
}

// writesGradients tells whether a list writes any.
func writesGradients(list ir.Program) bool {
	return slices.ContainsFunc(list.Instrs, func(i ir.Instr) bool {
		for at := range kernels.SignatureOf(i.Kernel).Args {
			if id := i.Args[at]; id != ir.None && i.Writes(at) && list.Values[id].Kind == ir.Grad {
				return true
			}
		}
		return false
	})
}
