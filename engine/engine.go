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
	"atoll/engine/plan"
	"atoll/kernels"
)

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

	store           *Store
	state           *State
	shares          bool // the state is another program's
	run             kernels.Program
	writesGradients bool   // so that what lies in their place is gone after a run
	along           *along // weights that lie in the place of their gradients; nil for none
	ends            kernels.Buffer
	staged          kernels.Staged // ends, where inputs can be handed over ahead of their run; else nil
	inputs          int64          // bytes of ends
	arena           kernels.Buffer
	borrowed        bool // the arena is another program's
	places          map[string]place
}

// place is where an input or output lies in ends.
type place struct {
	offset int64
	value  ir.Value
}

// allocate makes the program's own memory: inputs before outputs in one exchange, so that each is one transfer.
func (p *Program) allocate(ahead bool) error {
	p.inputs = p.layEnds(ir.Input, 0)
	total := p.layEnds(ir.Output, p.inputs)
	err := p.newEnds(total-p.inputs, ahead)
	if err != nil {
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

// RunTimed is Run, and sets took to the seconds of each instruction, where the device can tell them.
func (p *Program) RunTimed(took []float64) error {
	timed, ok := p.run.(kernels.TimedProgram)
	if !ok {
		return fmt.Errorf("%s does not tell the time of each kernel: profile on the CPU", p.store.device.Name())
	}
	if err := p.begin(); err != nil {
		return err
	}
	return p.end(timed.RunTimed(took))
}

// Ints is the memory of an int32 input, to be filled before Run; nil where the program has none of that name.
func (p *Program) Ints(name string) []int32 { return kernels.Int32s(p.memory(name)) }

// Floats is the memory of a fp32 input or output; nil where the program has none of that name.
func (p *Program) Floats(name string) []float32 {
	if !p.isFloat(name) {
		return nil
	}
	return kernels.Float32s(p.memory(name))
}

func (p *Program) isFloat(name string) bool { return p.places[name].value.DType == kernels.F32 }

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
	return at.of(p.ends.Bytes())
}

// of is the value's part of memory that is laid out as ends.
func (at place) of(ends []byte) []byte { return ends[at.offset:][:at.value.Bytes()] }

// State is what the program keeps on the device between runs, to be shared with another program.
func (p *Program) State() *State { return p.state }

// Bytes is the memory that the program itself takes: inputs, outputs, and activations unless they are shared.
func (p *Program) Bytes() int64 {
	if p.borrowed {
		return p.endsBytes()
	}
	return p.arena.Size() + p.endsBytes()
}

// Free gives the program's memory back. Memory that it shares, for activations or a State, belongs to the program that made it,
// which must be freed after those that share it.
func (p *Program) Free() {
	if p.run != nil {
		p.run.Free()
	}
	if p.along != nil {
		p.along.fill.Free()
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
