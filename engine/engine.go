// Package engine compiles a model's graph for a device and runs it: Compile(graph, store, options) gives a Program whose
// Run executes one forward, backward and update as one call of the device.
//
// A Store holds what all programs of a model share: weights, and for training gradients and optimizer moments, and the
// control values that pass between host and device at every step. Programs are compiled for one batch shape each and
// live beside each other over one Store. Errors appear at compile time (shapes, a list that breaks the rules, memory that
// the device does not have) and, from Run, as *kernels.Fault (data that a kernel refuses).
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
	Update    *ir.Program   // appended to the graph's list: the optimizer; nil for none
	State     *State        // caches shared with an earlier program; nil: as many as the graph wants are made
	Share     *Program      // a program whose memory for activations this one uses too, if it is large enough; nil for none
}

// Segments of a program's records.
const (
	segWeights = iota
	segGrads
	segMoment1
	segMoment2
	segControl
	segState
	segEnds   // inputs and outputs
	segArena  // temporaries
	segPacked // the first of the buffers of packed weights, as many as the store has
)

// Program is a compiled graph, bound to its store.
type Program struct {
	List   ir.Program
	Layout plan.Layout

	store    *Store
	state    *State
	shares   bool // the state is another program's
	run      kernels.Program
	ends     kernels.Buffer
	arena    kernels.Buffer
	borrowed bool // the arena is another program's
	places   map[string]place
}

// place is where an input or output lies in ends.
type place struct {
	offset int64
	value  ir.Value
}

// Compile gives the program of g over store.
func Compile(g *op.Graph, store *Store, o Options) (*Program, error) {
	if o.Logits == 0 {
		o.Logits = LogitsOf(store.device)
	}
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
		list = ir.Append(list, *o.Update)
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

func verify(list ir.Program) error {
	if err := ir.Verify(list); err != nil {
		return fmt.Errorf("compiled list breaks its rules (a mistake in atoll; please report it): %w", err)
	}
	return nil
}

// CompileList verifies, plans and binds a list; of the options it reads State and Share.
func CompileList(list ir.Program, store *Store, o Options) (*Program, error) {
	if err := verify(list); err != nil {
		return nil, err
	}
	p := &Program{List: list, Layout: plan.Temporaries(list), store: store, state: o.State, shares: o.State != nil, places: map[string]place{}}
	if o.Share != nil && o.Share.arena.Size() >= p.Layout.Bytes {
		p.arena, p.borrowed = o.Share.arena, true
	}
	err := p.allocate()
	if err == nil {
		err = store.pack(list)
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

// allocate makes the program's own memory: inputs before outputs in one exchange, so that each is one transfer.
func (p *Program) allocate() error {
	inputs := p.layEnds(ir.Input, 0)
	total := p.layEnds(ir.Output, inputs)
	var err error
	if p.ends, err = newExchange(p.store.device, inputs, total-inputs, "inputs and outputs"); err != nil {
		return err
	}
	if p.arena == nil {
		if p.arena, err = newBuffer(p.store.device, p.Layout.Bytes, "activations"); err != nil {
			return err
		}
	}
	if p.state == nil {
		p.state, err = newState(p.store.device, p.List)
	}
	return err
}

// layEnds gives the values of a kind their places from offset on, and the offset behind them.
func (p *Program) layEnds(kind ir.Kind, offset int64) int64 {
	for _, v := range p.List.Values {
		if v.Kind == kind && !isControl(v.Name) {
			p.places[v.Name] = place{offset, v}
			offset += plan.Align(v.Bytes())
		}
	}
	return offset
}

// newBuffer asks for at least one aligned unit, since devices do not give empty buffers.
func newBuffer(d kernels.Device, bytes int64, what string) (kernels.Buffer, error) {
	b, err := d.NewBuffer(max(bytes, kernels.Alignment))
	return b, refused(err, d, bytes, what)
}

// newExchange is newBuffer for what host and device pass to each other.
func newExchange(d kernels.Device, in, out int64, what string) (kernels.Buffer, error) {
	b, err := d.NewExchange(max(in, kernels.Alignment), out)
	return b, refused(err, d, in+out, what)
}

func refused(err error, d kernels.Device, bytes int64, what string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%d bytes for %s on %s: %w (a smaller batch or sequence needs less)", bytes, what, d.Name(), err)
}

// calls turns the list into the records that the device replays.
func (p *Program) calls() ([]kernels.Call, error) {
	calls := make([]kernels.Call, len(p.List.Instrs))
	for n, i := range p.List.Instrs {
		calls[n] = kernels.Call{Kernel: i.Kernel, Precision: i.Precision, Dims: i.Dims, Scalars: i.Scalars}
		for at, id := range i.Args {
			calls[n].Args[at] = kernels.None
			if id == ir.None {
				continue
			}
			ref, err := p.locate(id, i.Views[at])
			if err != nil {
				return nil, fmt.Errorf("instruction %d: %s: %w", n, p.List.Line(n), err)
			}
			calls[n].Args[at] = ref
		}
	}
	return calls, nil
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
	}
	if v.Kind == ir.Packed {
		return p.store.locatePacked(v, within)
	}
	return p.store.locate(v, within)
}

// Run copies the inputs to the device, executes the list and copies the outputs back. It does not allocate.
func (p *Program) Run() error { return p.run.Run() }

// RunTimed is Run, and sets took to the seconds of each instruction, where the device can tell them.
func (p *Program) RunTimed(took []float64) error {
	timed, ok := p.run.(kernels.TimedProgram)
	if !ok {
		return fmt.Errorf("%s does not tell the time of each kernel: profile on the CPU", p.store.device.Name())
	}
	return timed.RunTimed(took)
}

// Ints is the memory of an int32 input, to be filled before Run; nil where the program has none of that name.
func (p *Program) Ints(name string) []int32 { return kernels.Int32s(p.memory(name)) }

// Floats is the memory of a fp32 input or output; nil where the program has none of that name.
func (p *Program) Floats(name string) []float32 {
	if at, ok := p.places[name]; ok && at.value.DType != kernels.F32 {
		return nil
	}
	return kernels.Float32s(p.memory(name))
}

// Widen copies an output of any floating type to dst as fp32.
func (p *Program) Widen(dst []float32, name string) error {
	at, ok := p.places[name]
	if !ok || int64(len(dst)) != at.value.Elements() {
		return fmt.Errorf("output %s: %d elements wanted, the program has %d", name, len(dst), at.value.Elements())
	}
	return kernels.Widen(dst, p.memory(name), at.value.DType)
}

func (p *Program) memory(name string) []byte {
	at, ok := p.places[name]
	if !ok {
		return nil
	}
	return p.ends.Bytes()[at.offset:][:at.value.Bytes()]
}

// State is what the program keeps on the device between runs, to be shared with another program.
func (p *Program) State() *State { return p.state }

// Bytes is the memory that the program itself takes: inputs, outputs, and activations unless they are shared.
func (p *Program) Bytes() int64 {
	if p.borrowed {
		return p.ends.Size()
	}
	return p.arena.Size() + p.ends.Size()
}

// Free gives the program's memory back. Memory that it shares, for activations or a State, belongs to the program that made it,
// which must be freed after those that share it.
func (p *Program) Free() {
	if p.run != nil {
		p.run.Free()
	}
	if p.ends != nil {
		p.ends.Free()
	}
	if p.arena != nil && !p.borrowed {
		p.arena.Free()
	}
	if p.state != nil && !p.shares {
		p.state.buffer.Free()
	}
}
