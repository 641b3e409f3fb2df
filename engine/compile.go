package engine

import (
	"fmt"

	"atoll/engine/ir"
	"atoll/engine/lower"
	"atoll/engine/op"
	"atoll/engine/plan"
	"atoll/kernels"
)

// Options of Compile.
type Options struct {
	Precision kernels.DType // of activations and matrix operands; weights, statistics and sums are fp32
	Recompute lower.Recomputation
	Logits    int64         // bytes of a language head's logits at one time; 0: what the store's device wants (LogitsOf)
	Packing   lower.Packing // of weights that do not change while programs of the store run
	Spans     []ir.Span     // of gradients whose norms are taken as they are made, and whose places weights have between steps (SpansOf); nil: of none
	Update    *ir.Program   // appended to the graph's list: the optimizer; nil for none
	State     *State        // caches shared with an earlier program; nil: as many as the graph wants are made
	Ahead     bool          // inputs are handed over ahead of their run where the device takes them so: see Program.HandOver
	Share     *Program      // a program whose memory for activations this one uses too, if it is large enough; nil for none
}

// Compile gives the program of g over store.
func Compile(g *op.Graph, store *Store, o Options) (*Program, error) {
	if o.Logits == 0 {
		o.Logits = LogitsOf(store.device)
	}
	o.Recompute = RecomputationOf(store.device, o.Recompute)
	o.Spans = SpansOf(store.device, store)
	list, err := Lower(g, o)
	if err != nil {
		return nil, err
	}
	return CompileList(list, store, o)
}

// Lower gives the list of g after all passes, verified. It needs no device.
func Lower(g *op.Graph, o Options) (ir.Program, error) {
	list, err := lower.Graph(g)
	if err != nil {
		return ir.Program{}, err
	}
	list = lower.Recompute(lower.Narrow(lower.Fuse(list), o.Precision), o.Recompute)
	if o.Logits > 0 {
		list = lower.Chunk(list, o.Logits)
	}
	switch {
	case o.Update != nil && o.Packing != lower.Unpacked:
		return list, fmt.Errorf("weights that are trained cannot be packed (a mistake in atoll; please report it)")
	case o.Update != nil:
		list = lower.PackAlong(lower.NormAlong(ir.Append(list, *o.Update), o.Spans), o.Spans)
	case o.Packing != lower.Unpacked:
		list = lower.Pack(list, o.Packing, o.Precision)
	}
	return list, verify(list)
}

// LogitsOf is how many bytes of logits the device wants at one time; 0: as many as the op says.
func LogitsOf(d kernels.Device) int64 {
	if g, ok := d.(kernels.Chunker); ok {
		return g.LogitsBytes()
	}
	return 0
}

// RecomputationOf is how, or for auto on a device with memory of its own, which nothing else wants, that nothing is computed again.
func RecomputationOf(d kernels.Device, how lower.Recomputation) lower.Recomputation {
	if _, host := d.(kernels.Lender); how == lower.RecomputeAuto && !host {
		return lower.RecomputeNone
	}
	return how
}

// SpansOf are the places of the store's gradients, or none for a device with memory of its own, whose products give no norms.
func SpansOf(d kernels.Device, s *Store) []ir.Span {
	if _, host := d.(kernels.Lender); !host {
		return nil
	}
	var spans []ir.Span
	for _, slot := range s.Slots {
		if slot.Trainable {
			spans = append(spans, ir.Span{Name: slot.Name, First: slot.FirstGrad, Length: room(slot.Param)})
		}
	}
	return spans
}

func verify(list ir.Program) error {
	if err := ir.Verify(list); err != nil {
		return fmt.Errorf("compiled list breaks its rules (a mistake in atoll; please report it): %w", err)
	}
	return nil
}

// CompileList verifies, plans and binds a list; of the options it reads State, Share and Ahead.
func CompileList(list ir.Program, store *Store, o Options) (*Program, error) {
	if err := verify(list); err != nil {
		return nil, err
	}
	p := &Program{List: list, Layout: plan.Temporaries(list), store: store, state: o.State, shares: o.State != nil, places: map[string]place{},
		writesGradients: writesGradients(list)}
	if o.Share != nil && o.Share.arena.Size() >= p.Layout.Bytes {
		p.arena, p.borrowed = o.Share.arena, true
	}
	err := p.allocate(o.Ahead)
	if err == nil {
		err = store.pack(list)
	}
	if err == nil {
		p.along, err = store.newAlong(list)
	}
	if err == nil {
		err = p.bind()
	}
	if err != nil {
		p.Free()
		return nil, err
	}
	return p, nil
}

// bind prepares the list for the device.
func (p *Program) bind() error {
	calls, err := p.calls()
	if err != nil {
		return err
	}
	s := p.store
	segments := []kernels.Buffer{s.weights, s.grads, s.moments[0], s.moments[1], s.control, p.state.buffer, p.ends, p.arena}
	if p.run, err = s.device.NewProgram(calls, append(segments, s.packed.buffers...)); err != nil {
		return fmt.Errorf("prepare program for %s: %w", s.device.Name(), err)
	}
	return nil
}

// calls turns the list into the records that the device replays.
func (p *Program) calls() ([]kernels.Call, error) {
	calls := make([]kernels.Call, len(p.List.Instrs))
	for n, i := range p.List.Instrs {
		var err error
		if calls[n], err = record(i, p.locate); err != nil {
			return nil, fmt.Errorf("instruction %d: %s: %w", n, p.List.Line(n), err)
		}
	}
	return calls, nil
}

// record is an instruction with its arguments where locate finds them.
func record(i ir.Instr, locate func(id ir.ID, first int64) (kernels.Ref, error)) (kernels.Call, error) {
	c := kernels.Call{Kernel: i.Kernel, Precision: i.Precision, Dims: i.Dims, Scalars: i.Scalars}
	for at, id := range i.Args {
		c.Args[at] = kernels.None
		if id == ir.None {
			continue
		}
		var err error
		if c.Args[at], err = locate(id, i.Views[at]); err != nil {
			return c, err
		}
	}
	return c, nil
}

// locate finds the place of element first of a value.
func (p *Program) locate(id ir.ID, first int64) (kernels.Ref, error) {
	v := p.List.Values[id]
	within := first * int64(v.DType.Size())
	switch {
	case isControl(v.Name):
		return kernels.At(segControl, controlOffsets[v.Name]), nil
	case v.Kind == ir.Temp:
		return kernels.At(segArena, p.Layout.Offsets[id]+within), nil
	case v.Kind == ir.Input || v.Kind == ir.Output:
		return kernels.At(segEnds, p.places[v.Name].offset+within), nil
	case v.Kind == ir.State && p.state.has(v.Name):
		return kernels.At(segState, p.state.offsets[v.Name]+within), nil
	case v.Kind == ir.Packed:
		return p.store.locatePacked(v, within)
	case v.Kind == ir.InGrad:
		return p.store.locateInGrad(v, within)
	}
	return p.store.locate(v, within)
}
