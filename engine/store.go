package engine

import (
	"fmt"
	"slices"
	"strings"

	"atoll/engine/ir"
	"atoll/engine/plan"
	"atoll/kernels"
	"atoll/model"
)

// controlOffsets are the places of the values that pass between the host and every program of a store, in bytes.
var controlOffsets = map[string]int64{ir.StepInput: 0, ir.SeedInput: 64, ir.Loss: 128, ir.GradNorm: 192}

const controlBytes, controlInputs = 256, 128 // step and seed go in

func isControl(name string) bool {
	_, ok := controlOffsets[name]
	return ok
}

// Slot is the place of a parameter in the store.
type Slot struct {
	model.Param
	Trainable bool
	First     int64 // element in the flat weights
	FirstGrad int64 // element in the flat gradients and moments; meaningless unless Trainable
}

// Store is a model's memory on a device.
type Store struct {
	Slots []Slot

	device       kernels.Device
	index        map[string]int
	weights      kernels.Buffer
	grads        kernels.Buffer
	moments      [2]kernels.Buffer
	control      kernels.Buffer
	packed       packedWeights
	held         string // the weights that lie laid out in the place of their gradients (lower.LaidAlong); "" for none
	elements     int64  // of the flat weights
	gradElements int64  // of the flat gradients
}

// Sketch lays out what NewStore makes, without memory: the store's slots and sizes are there, to plan with.
func Sketch(params []model.Param, trainable func(name string) bool) *Store {
	s := &Store{index: map[string]int{}}
	for _, p := range params {
		slot := Slot{Param: p, First: s.elements, Trainable: trainable != nil && trainable(p.Name)}
		s.elements += room(p)
		if slot.Trainable {
			slot.FirstGrad = s.gradElements
			s.gradElements += room(p)
		}
		s.index[p.Name] = len(s.Slots)
		s.Slots = append(s.Slots, slot)
	}
	return s
}

// NewStore makes room for the parameters on the device, zeroed. trainable says which of them get gradients and moments;
// nil means none, a store for scoring.
func NewStore(d kernels.Device, params []model.Param, trainable func(name string) bool) (*Store, error) {
	s := Sketch(params, trainable)
	s.device = d
	var err error
	if s.weights, err = newBuffer(d, s.elements*4, "weights"); err == nil {
		err = s.addRest()
	}
	if err != nil {
		s.Free()
		return nil, err
	}
	return s, nil
}

// NewStoreOver gives a store for scoring whose weights lie in memory that somebody else owns, such as a file that is mapped: first is
// the element of it that each parameter begins at. They are read where they lie: nothing may write them. Free leaves them alone.
func NewStoreOver(d kernels.Lender, params []model.Param, memory []byte, first func(name string) int64) (*Store, error) {
	s := &Store{device: d, index: map[string]int{}, elements: int64(len(memory)) / 4}
	for _, p := range params {
		slot := Slot{Param: p, First: first(p.Name)}
		if slot.First < 0 || slot.First > s.elements-int64(p.Len()) {
			return nil, fmt.Errorf("parameter %s begins at element %d and has %d: want it within %d", p.Name, slot.First, p.Len(), s.elements)
		}
		s.index[p.Name] = len(s.Slots)
		s.Slots = append(s.Slots, slot)
	}
	var err error
	if s.weights, err = d.Lend(memory); err != nil {
		return nil, err
	}
	if err = s.addRest(); err != nil {
		s.Free()
		return nil, err
	}
	return s, nil
}

// addRest makes the memory beside the weights.
func (s *Store) addRest() (err error) {
	for _, b := range []struct {
		to   *kernels.Buffer
		what string
	}{{&s.grads, "gradients"}, {&s.moments[0], "optimizer moments"}, {&s.moments[1], "optimizer moments"}} {
		if *b.to, err = newBuffer(s.device, s.gradElements*4, b.what); err != nil {
			return err
		}
	}
	s.control, err = newExchange(s.device, controlInputs, controlBytes-controlInputs, "control values")
	return err
}

// Device is where the store is.
func (s *Store) Device() kernels.Device { return s.device }

// Elements are the lengths of the flat weights and of the flat gradients, padding included.
func (s *Store) Elements() (weights, grads int64) { return s.elements, s.gradElements }

// Ranges are the trainable parameters; neighbours that are updated alike are one range.
func (s *Store) Ranges() []ir.Range {
	var ranges []ir.Range
	for _, slot := range s.Slots {
		if !slot.Trainable {
			continue
		}
		length := room(slot.Param)
		if last := len(ranges) - 1; last >= 0 && ranges[last].Decay == slot.Decay && ranges[last].First+ranges[last].Length == slot.First {
			ranges[last].Length += length
			continue
		}
		ranges = append(ranges, ir.Range{First: slot.First, FirstGrad: slot.FirstGrad, Length: length, Decay: slot.Decay})
	}
	return ranges
}

// room is the elements that a parameter takes in flat memory, padding included.
func room(p model.Param) int64 { return plan.Align(int64(p.Len())*4) / 4 }

// Bytes is the memory of the store.
func (s *Store) Bytes() int64 { return 4*(s.elements+3*s.gradElements) + s.packed.bytes() }

// Step is the vector of step numbers, to be filled before a program runs (kernels.StepLossScale and so on).
func (s *Store) Step() []float32 {
	return kernels.Float32s(s.controlAt(ir.StepInput, 4*kernels.StepSize))
}

// Seed is the random key of dropout, and of the rounding of weights, for the next run.
func (s *Store) Seed() []int32 { return kernels.Int32s(s.controlAt(ir.SeedInput, 8)) }

// Loss is the loss of the last run, GradNorm the gradient's norm before clipping.
func (s *Store) Loss() float32 { return kernels.Float32s(s.controlAt(ir.Loss, 4))[0] }

// GradNorm is the Euclidean norm of all gradients at the last update, before clipping.
func (s *Store) GradNorm() float32 { return kernels.Float32s(s.controlAt(ir.GradNorm, 4))[0] }

func (s *Store) controlAt(name string, bytes int64) []byte {
	return s.control.Bytes()[controlOffsets[name]:][:bytes]
}

// locate finds a parameter, a gradient, or a flat view.
func (s *Store) locate(v ir.Value, within int64) (kernels.Ref, error) {
	switch v.Name {
	case ir.FlatWeights:
		return kernels.At(segWeights, within), nil
	case ir.FlatGrads:
		return kernels.At(segGrads, within), nil
	case ir.FlatMoment1:
		return kernels.At(segMoment1, within), nil
	case ir.FlatMoment2:
		return kernels.At(segMoment2, within), nil
	}
	name, isGrad := v.Name, v.Kind == ir.Grad
	if isGrad {
		name = name[len(ir.GradPrefix):]
	}
	n, ok := s.index[name]
	if !ok {
		return 0, fmt.Errorf("the store has no parameter %q", name)
	}
	slot := s.Slots[n]
	if v.Elements() != int64(slot.Len()) {
		return 0, fmt.Errorf("parameter %s has %d elements in the store and %d in the graph", name, slot.Len(), v.Elements())
	}
	if !isGrad {
		return kernels.At(segWeights, slot.First*4+within), nil
	}
	if !slot.Trainable {
		return 0, fmt.Errorf("parameter %s has a gradient in the graph, and the store does not train it", name)
	}
	return kernels.At(segGrads, slot.FirstGrad*4+within), nil
}

// Memory of a store, for Read and Write.
type Memory uint8

// The memories that hold one tensor for each parameter; all but Weights for the trainable ones only.
const (
	Weights Memory = iota
	Grads
	Moment1
	Moment2
)

// Write copies src to a parameter's tensor in the given memory, Read copies it to dst. Lengths must be equal.
func (s *Store) Write(m Memory, name string, src []float32) error {
	buffer, at, err := s.tensor(m, name, len(src))
	if err != nil {
		return err
	}
	s.changes(m)
	return buffer.Write(at, kernels.BytesOf(src))
}

// changes notes that the host may write a memory: what lies in the place of gradients does not hold any more.
func (s *Store) changes(m Memory) {
	if m == Weights || m == Grads {
		s.held = ""
	}
}

// Read is Write the other way. After a step that ends in the update a gradient's place may hold the weight, laid out for products: an error.
func (s *Store) Read(m Memory, name string, dst []float32) error {
	buffer, at, err := s.tensor(m, name, len(dst))
	if err != nil {
		return err
	}
	if m == Grads && slices.Contains(strings.Fields(s.held), ir.TwicePrefix+name) {
		return fmt.Errorf("the gradient of %s is gone: the update has laid the weight out in its place; read it from a program without an update", name)
	}
	return buffer.Read(kernels.BytesOf(dst), at)
}

// View is a tensor's memory itself where the host reaches it, else nil. It may be written until the next run.
func (s *Store) View(m Memory, name string) []float32 {
	n, ok := s.index[name]
	if !ok {
		return nil
	}
	length := s.Slots[n].Len()
	buffer, at, err := s.tensor(m, name, length)
	if err != nil || buffer.Bytes() == nil {
		return nil
	}
	s.changes(m)
	return kernels.Float32s(buffer.Bytes()[at : at+4*int64(length)])
}

func (s *Store) tensor(m Memory, name string, length int) (kernels.Buffer, int64, error) {
	n, ok := s.index[name]
	if !ok {
		return nil, 0, fmt.Errorf("the store has no parameter %q", name)
	}
	slot := s.Slots[n]
	if length != slot.Len() {
		return nil, 0, fmt.Errorf("parameter %s has %d elements, got %d", name, slot.Len(), length)
	}
	if m == Weights {
		return s.weights, slot.First * 4, nil
	}
	if !slot.Trainable {
		return nil, 0, fmt.Errorf("parameter %s is not trained: it has no gradient and no moments", name)
	}
	return [...]kernels.Buffer{Grads: s.grads, Moment1: s.moments[0], Moment2: s.moments[1]}[m], slot.FirstGrad * 4, nil
}

// Free gives the memory back.
func (s *Store) Free() {
	for _, b := range []kernels.Buffer{s.weights, s.grads, s.moments[0], s.moments[1], s.control} {
		if b != nil {
			b.Free()
		}
	}
	s.packed.free()
}
