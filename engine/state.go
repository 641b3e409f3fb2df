package engine

import (
	"atoll/engine/ir"
	"atoll/engine/plan"
	"atoll/kernels"
)

// State is memory that a program keeps on the device between runs and may share with others: caches of keys and values.
type State struct {
	buffer  kernels.Buffer
	offsets map[string]int64
}

func newState(d kernels.Device, list ir.Program) (*State, error) {
	s := &State{offsets: map[string]int64{}}
	bytes := int64(0)
	for _, v := range list.Values {
		if v.Kind == ir.State && !isFlat(v.Name) {
			s.offsets[v.Name] = bytes
			bytes += plan.Align(v.Bytes())
		}
	}
	var err error
	s.buffer, err = newBuffer(d, bytes, "caches")
	return s, err
}

func isFlat(name string) bool { return name == ir.FlatMoment1 || name == ir.FlatMoment2 }

func (s *State) has(name string) bool {
	_, ok := s.offsets[name]
	return ok
}

// Free gives the memory back; programs that use it must not run again.
func (s *State) Free() { s.buffer.Free() }
