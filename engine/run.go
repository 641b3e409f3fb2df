package engine

import (
	"fmt"

	"atoll/kernels"
)

// Run copies the inputs to the device, executes the list and copies the outputs back. It does not allocate.
func (p *Program) Run() error {
	if err := p.begin(); err != nil {
		return err
	}
	return p.end(p.run.Run())
}

// Start is Run where the device works by itself, and there it returns at once: Wait then returns when all is done. Elsewhere it is
// Run, and Wait has nothing to wait for. Between the two, inputs, outputs and the store's values stay as they are.
func (p *Program) Start() error {
	if run, ok := p.run.(kernels.Starter); ok {
		return run.Start() // such a device lays nothing out in the place of gradients
	}
	return p.Run()
}

// Wait ends what Start began.
func (p *Program) Wait() error {
	if run, ok := p.run.(kernels.Starter); ok {
		return run.Wait()
	}
	return nil
}

// Inputs are the places of a run's inputs, by name: those of the next run, as a Program has them, or of the run behind one that is
// under way.
type Inputs interface {
	Ints(name string) []int32
	Floats(name string) []float32
}

// TakesAhead says whether inputs can be handed over while a run is under way: the program was compiled for it (Options.Ahead) and the
// device works by itself.
func (p *Program) TakesAhead() bool { return p.staged != nil }

// HandOver has feed write the inputs of the program's next run, and begins their upload beside whatever the device does. That run
// reads them in place of what Ints and Floats hold. feed writes all inputs: what lies there is of an older run. Once for a run.
func (p *Program) HandOver(feed func(Inputs)) error {
	if p.staged == nil {
		return fmt.Errorf("inputs handed over ahead to a program that does not take them so (a mistake in atoll; please report it)")
	}
	feed(following{p})
	return p.staged.Upload()
}

// following are the inputs of the run behind one that is under way.
type following struct{ program *Program }

func (f following) Ints(name string) []int32 { return kernels.Int32s(f.memory(name)) }

func (f following) Floats(name string) []float32 {
	if !f.program.isFloat(name) {
		return nil
	}
	return kernels.Float32s(f.memory(name))
}

func (f following) memory(name string) []byte {
	at, ok := f.program.places[name]
	if !ok || at.offset >= f.program.inputs {
		return nil
	}
	return at.of(f.program.staged.Next())
}

// newEnds makes the exchange of inputs and outputs.
func (p *Program) newEnds(outputs int64, ahead bool) (err error) {
	const what = "inputs and outputs"
	d := p.store.device
	if stager, ok := d.(kernels.Stager); ok && ahead && p.inputs > 0 {
		p.staged, err = stager.NewStaged(p.inputs, outputs)
		if err != nil {
			return refused(err, d, 3*p.inputs+outputs, what)
		}
		p.ends = p.staged
		return nil
	}
	p.ends, err = newExchange(d, p.inputs, outputs, what)
	return err
}

// endsBytes is the device's memory for inputs and outputs, of which there are three where they are handed over ahead.
func (p *Program) endsBytes() int64 {
	if p.staged != nil {
		return p.ends.Size() + 2*p.inputs
	}
	return p.ends.Size()
}
