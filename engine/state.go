package engine

import (
	"atoll/engine/ir"
	"atoll/engine/plan"
	"atoll/kernels"
)

// State is memory that a program keeps on the device between runs and may share with others: caches of keys and values. It
// lives as long as the program that made it.
type State struct {
	buffer  kernels.Buffer
	offsets map[string]int64
}

func newState(d kernels.Device, list ir.Program) (*State, error) {
	s := &State{offsets: map[string]int64{}}
	bytes := int64(0)
	for _, v := range cached(list) {
		s.offsets[v.Name] = bytes
		bytes += plan.Align(v.Bytes())
	}
	var err error
	if s.buffer, err = newBuffer(d, bytes, "caches"); err != nil {
		return nil, err
	}
	return s, nil
}

// cached are the values that a State holds for the list.
func cached(list ir.Program) (values []ir.Value) {
	for _, v := range list.Values {
		if v.Kind == ir.State && !isFlat(v.Name) {
			values = append(values, v)
		}
	}
	return values
}

func isFlat(name string) bool { return name == ir.FlatMoment1 || name == ir.FlatMoment2 }

func (s *State) has(name string) bool {
	_, ok := s.offsets[name]
	return ok
}
