package reference

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"

	"atoll/engine"
	"atoll/engine/ir"
	"atoll/kernels"
	"atoll/model"
	"atoll/model/gpt2"
)

// Hold computes on d in the given precision what the folder holds, and compares. naive is the plainest device: in half
// precision the tolerance of a check is twice its error in that precision (FlashAttention's rule), and never below the
// fp32 tolerance. That error is the largest of several runs, see draws.
func Hold(dir string, d, naive kernels.Device, precision kernels.DType) (Report, error) {
	r := Report{Dir: dir, Device: d.Name(), Precision: precision.String()}
	checks, err := hold(dir, d, precision, 0)
	if err != nil {
		return r, fmt.Errorf("%s on %s in %v: %w", dir, d.Name(), precision, err)
	}
	if precision != kernels.F32 {
		errs, err := naiveErrors(dir, naive, precision)
		if err != nil {
			return r, fmt.Errorf("%s on %s in %v: %w", dir, naive.Name(), precision, err)
		}
		widen(checks, errs)
	}
	r.Checks = checks
	return r, nil
}

// draws is how many runs the error of the naive device is taken from. Which way a value is rounded to half precision hangs on
// its last fp32 bit, and twelve steps of training carry that on: with weights moved by one part in ten million the same
// computation had errors of its training losses between 0.0005 and 0.0011. One run alone is a matter of luck.
const draws = 4

// naiveErrors is each check's largest error in draws runs, all but the first with their weights moved by about a rounding.
func naiveErrors(dir string, naive kernels.Device, precision kernels.DType) (map[string]float64, error) {
	errs := map[string]float64{}
	for draw := range uint64(draws) {
		checks, err := hold(dir, naive, precision, draw)
		if err != nil {
			return nil, err
		}
		for _, c := range checks {
			errs[c.Name] = max(errs[c.Name], c.Error)
		}
	}
	return errs, nil
}

// widen sets the tolerances of half precision from the errors of the naive device. The rule speaks of the largest error among
// many numbers, and the error of one number may be near zero by luck: the loss of batch 0 is held to the errors of the
// twelve training losses, of which it is the first.
func widen(checks []Check, naive map[string]float64) {
	for n := range checks {
		name := checks[n].Name
		if kind, ok := strings.CutSuffix(name, " "+lossCheck); ok {
			name = kind + " " + lossesCheck
		}
		checks[n].Tolerance = max(checks[n].Tolerance, 2*naive[name])
	}
}

// Names of checks, behind the folder's name.
const (
	lossCheck   = "loss"
	lossesCheck = "training losses"
)

// run is one pass over a folder on one device.
type run struct {
	*set
	device    kernels.Device
	precision kernels.DType
	store     *engine.Store
	batch     int
	sequence  int
	inputs    []int32 // [steps, B, T]
	draw      uint64  // which way the weights are moved; 0: not at all
	checks    []Check
}

func hold(dir string, d kernels.Device, precision kernels.DType, draw uint64) (checks []Check, err error) {
	s, err := open(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	r := &run{set: s, device: d, precision: precision, draw: draw}
	if err := r.prepare(); err != nil {
		return nil, err
	}
	defer func() { r.store.Free() }()
	stages := []func() error{r.forward, r.gradients, r.greedy, r.train}
	for _, stage := range stages {
		if err := stage(); err != nil {
			return nil, err
		}
	}
	return r.checks, nil
}

func (r *run) prepare() error {
	inputs, shape, err := r.ints("inputs")
	if err != nil {
		return err
	}
	if len(shape) != 3 {
		return fmt.Errorf("tensor inputs has shape %v, want [steps, batch, sequence]", shape)
	}
	r.inputs, r.batch, r.sequence = inputs, shape[1], shape[2]
	if r.store, err = engine.NewStore(r.device, r.config.Params(), func(string) bool { return true }); err != nil {
		return err
	}
	return r.load()
}

// load puts the folder's weights into the store and zeroes the moments.
func (r *run) load() error {
	tensors := map[string][]float32{}
	_, err := r.weights.Load(r.config.Params(), nil, func(p model.Param) []float32 {
		tensors[p.Name] = make([]float32, p.Len())
		return tensors[p.Name]
	})
	if err != nil {
		return err
	}
	if r.draw > 0 {
		r.move(tensors)
	}
	for name, values := range tensors {
		zeros := make([]float32, len(values))
		err := errors.Join(r.store.Write(engine.Weights, name, values),
			r.store.Write(engine.Moment1, name, zeros), r.store.Write(engine.Moment2, name, zeros))
		if err != nil {
			return err
		}
	}
	return nil
}

// move changes every weight by about a rounding of fp32.
func (r *run) move(tensors map[string][]float32) {
	random := rand.New(rand.NewPCG(r.draw, 0))
	for _, p := range r.config.Params() {
		for i := range tensors[p.Name] {
			tensors[p.Name][i] *= 1 + 1e-7*float32(random.NormFloat64())
		}
	}
}

// compile builds the model for spec, with the optimizer where update is not nil.
func (r *run) compile(spec gpt2.Spec, update *ir.Program) (*engine.Program, error) {
	spec.Batch, spec.Sequence = r.batch, r.sequence
	graph, err := gpt2.Build(r.config, spec)
	if err != nil {
		return nil, err
	}
	return engine.Compile(graph, r.store, engine.Options{Precision: r.precision, Update: update})
}

// feed copies batch step of the stored inputs into p and sets the loss scale.
func (r *run) feed(p *engine.Program, step int) error {
	rows := r.batch * r.sequence
	copy(p.Ints(gpt2.Tokens), r.inputs[step*rows:])
	scale := float32(1)
	switch r.config.Problem {
	case model.LanguageModel:
		targets, _, err := r.ints("targets")
		if err != nil {
			return err
		}
		copy(p.Ints(gpt2.Targets), targets[step*rows:])
		scale = 1 / float32(rows)
	case model.SingleLabel:
		labels, _, err := r.ints("targets")
		if err != nil {
			return err
		}
		copy(p.Ints(gpt2.Labels), labels[step*r.batch:])
		scale = 1 / float32(r.batch)
	case model.MultiLabel:
		labels, err := r.floats("targets")
		if err != nil {
			return err
		}
		row := r.batch * len(r.config.Labels)
		copy(p.Floats(gpt2.Labels), labels[step*row:])
		scale = 1 / float32(row)
	}
	if p.Ints(gpt2.Lengths) != nil {
		lengths, _, err := r.ints("lengths")
		if err != nil {
			return err
		}
		copy(p.Ints(gpt2.Lengths), lengths[step*r.batch:])
	}
	r.store.Step()[kernels.StepLossScale] = scale
	return nil
}

// forward compares logits, and for a language model the last hidden state.
func (r *run) forward() error {
	p, err := r.compile(gpt2.Spec{Logits: true}, nil)
	if err != nil {
		return err
	}
	defer p.Free()
	copy(p.Ints(gpt2.Tokens), r.inputs)
	if lengths := p.Ints(gpt2.Lengths); lengths != nil {
		stored, _, err := r.ints("lengths")
		if err != nil {
			return err
		}
		copy(lengths, stored)
	}
	if err := p.Run(); err != nil {
		return err
	}
	outputs := map[string]string{gpt2.Logits: "logits"}
	if r.config.Problem == model.LanguageModel {
		outputs[gpt2.Hidden] = "hidden.last"
	}
	for output, stored := range outputs {
		want, err := r.floats(stored)
		if err != nil {
			return err
		}
		got := make([]float32, len(want))
		if err := p.Widen(got, output); err != nil {
			return err
		}
		r.add(stored, logitsTolerance, []comparison{{stored, got, want, 1}})
	}
	slices.SortFunc(r.checks, func(a, b Check) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// gradients compares the loss and every gradient of batch 0.
func (r *run) gradients() error {
	var names []string
	for _, p := range r.config.Params() {
		names = append(names, p.Name)
	}
	p, err := r.compile(gpt2.Spec{Loss: true, Train: names}, nil)
	if err != nil {
		return err
	}
	defer p.Free()
	if err := r.feed(p, 0); err != nil {
		return err
	}
	if err := p.Run(); err != nil {
		return err
	}
	loss, err := r.floats("loss")
	if err != nil {
		return err
	}
	r.add(lossCheck, lossTolerance, []comparison{{"loss", []float32{r.store.Loss()}, loss, 1}})
	var all []comparison
	for _, param := range r.config.Params() {
		want, err := r.floats("grad." + param.Name)
		if err != nil {
			return err
		}
		got := make([]float32, len(want))
		if err := r.store.Read(engine.Grads, param.Name, got); err != nil {
			return err
		}
		all = append(all, comparison{"grad." + param.Name, got, want, largest(want)})
	}
	r.add("gradients", gradTolerance, all)
	return nil
}

// train compares twelve steps: losses, gradient norms, and the weights after them.
func (r *run) train() error {
	var names []string
	for _, p := range r.config.Params() {
		names = append(names, p.Name)
	}
	elements, gradElements := r.store.Elements()
	update, err := r.optimizer.adamW().Update(r.store.Ranges(), elements, gradElements)
	if err != nil {
		return err
	}
	p, err := r.compile(gpt2.Spec{Loss: true, Train: names}, &update)
	if err != nil {
		return err
	}
	defer p.Free()
	var losses, norms []float32
	for step := range r.optimizer.Steps {
		if err := r.feed(p, step); err != nil {
			return err
		}
		r.optimizer.adamW().Fill(r.store.Step(), r.optimizer.schedule().Rate(step), step)
		if err := p.Run(); err != nil {
			return err
		}
		losses, norms = append(losses, r.store.Loss()), append(norms, r.store.GradNorm())
	}
	return r.trained(losses, norms)
}

func (r *run) trained(losses, norms []float32) error {
	wantLosses, err := r.floats("train.loss")
	if err != nil {
		return err
	}
	wantNorms, err := r.floats("train.grad_norm")
	if err != nil {
		return err
	}
	r.add(lossesCheck, trainTolerance, []comparison{{"train.loss", losses, wantLosses, 1}})
	var relative []comparison
	for n := range min(len(norms), len(wantNorms)) {
		relative = append(relative, comparison{fmt.Sprintf("train.grad_norm[%d]", n), norms[n : n+1], wantNorms[n : n+1], float64(wantNorms[n])})
	}
	r.add("gradient norms", trainTolerance, relative)
	var all []comparison
	for _, param := range r.config.Params() {
		want, err := r.floats("trained." + param.Name)
		if err != nil {
			return err
		}
		got := make([]float32, len(want))
		if err := r.store.Read(engine.Weights, param.Name, got); err != nil {
			return err
		}
		if strings.HasSuffix(param.Name, "attn.c_attn.bias") {
			// The key third has a zero gradient in exact arithmetic; what AdamW makes of the rounding there is noise.
			c := r.config.Width
			got, want = slices.Concat(got[:c], got[2*c:]), slices.Concat(want[:c], want[2*c:])
		}
		all = append(all, comparison{"trained." + param.Name, got, want, 1})
	}
	r.add("trained weights", weightsTolerance, all)
	return nil
}

// comparison is one tensor, its error to be divided by unit.
type comparison struct {
	name      string
	got, want []float32
	unit      float64
}

func (r *run) add(name string, tolerance float64, all []comparison) {
	check := Check{Name: filepath.Base(r.dir) + " " + name, Tolerance: tolerance}
	for _, c := range all {
		if len(c.got) != len(c.want) {
			check.Error, check.Worst = math.Inf(1), fmt.Sprintf("%s: %d elements, %d stored", c.name, len(c.got), len(c.want))
			break
		}
		for i := range c.got {
			e := math.Abs(float64(c.got[i])-float64(c.want[i])) / c.unit
			if math.IsNaN(e) {
				e = math.Inf(1)
			}
			if e > check.Error || check.Worst == "" {
				check.Error, check.Worst = e, fmt.Sprintf("%s[%d]: got %g, stored %g", c.name, i, c.got[i], c.want[i])
			}
		}
	}
	r.checks = append(r.checks, check)
}

func largest(values []float32) float64 {
	most := 1e-30
	for _, v := range values {
		most = max(most, math.Abs(float64(v)))
	}
	return most
}
