package engine

import (
	"fmt"

	"atoll/engine/ir"
	"atoll/engine/plan"
	"atoll/kernels"
)

// packedWeights are copies of a store's weights, laid out for products (lower.Pack): as many buffers as there were programs that wanted
// copies which no program before them had. They are as the weights were when they were made.
type packedWeights struct {
	buffers []kernels.Buffer
	places  map[string]packedPlace
}

type packedPlace struct {
	buffer int
	offset int64
	words  int64
}

// pack makes the copies that the list wants and that are not there yet.
func (s *Store) pack(list ir.Program) error {
	var missing []ir.Instr
	bytes := int64(0)
	places := map[string]packedPlace{}
	for _, i := range list.Once {
		v := list.Values[i.Arg("packed")]
		if v.Kind != ir.Packed {
			continue
		}
		if _, there := s.packed.places[v.Name]; !there {
			missing = append(missing, i)
			places[v.Name] = packedPlace{len(s.packed.buffers), bytes, v.Elements()}
			bytes += plan.Align(v.Bytes())
		}
	}
	if len(missing) == 0 {
		return nil
	}
	buffer, err := newBuffer(s.device, bytes, "packed weights")
	if err != nil {
		return err
	}
	if err := s.fill(list, missing, places, buffer); err != nil {
		buffer.Free()
		return err
	}
	if s.packed.places == nil {
		s.packed.places = map[string]packedPlace{}
	}
	for name, at := range places {
		s.packed.places[name] = at
	}
	s.packed.buffers = append(s.packed.buffers, buffer)
	return nil
}

// fill runs the instructions that make copies, once.
func (s *Store) fill(list ir.Program, once []ir.Instr, places map[string]packedPlace, buffer kernels.Buffer) error {
	run, err := s.laying(list, once, buffer, func(v ir.Value) (kernels.Ref, error) { return kernels.At(segLaid, places[v.Name].offset), nil })
	if err != nil {
		return err
	}
	defer run.Free()
	return run.Run()
}

// segLaid is the segment to which laying writes: the gradients', or a buffer in their place.
const segLaid = segGrads

// laying prepares instructions that lay parameters out in a buffer, where place finds the values that they write.
func (s *Store) laying(list ir.Program, once []ir.Instr, buffer kernels.Buffer, place func(v ir.Value) (kernels.Ref, error)) (kernels.Program, error) {
	calls := make([]kernels.Call, len(once))
	for n, i := range once {
		var err error
		calls[n], err = record(i, func(id ir.ID, first int64) (kernels.Ref, error) {
			if v := list.Values[id]; v.Kind != ir.Param {
				return place(v)
			}
			return s.locate(list.Values[id], first)
		})
		if err != nil {
			return nil, err
		}
	}
	run, err := s.device.NewProgram(calls, []kernels.Buffer{segWeights: s.weights, segLaid: buffer})
	if err != nil {
		return nil, fmt.Errorf("lay weights out for %s: %w", s.device.Name(), err)
	}
	return run, nil
}

// locatePacked finds a packed weight, whose buffers are a program's segments from segPacked on.
func (s *Store) locatePacked(v ir.Value, within int64) (kernels.Ref, error) {
	at, ok := s.packed.places[v.Name]
	if !ok || at.words != v.Elements() {
		return 0, fmt.Errorf("the store has %d words of the packed weight %q, want %d", at.words, v.Name, v.Elements())
	}
	return kernels.At(segPacked+at.buffer, at.offset+within), nil
}

func (p *packedWeights) bytes() (total int64) {
	for _, b := range p.buffers {
		total += b.Size()
	}
	return total
}

func (p *packedWeights) free() {
	for _, b := range p.buffers {
		b.Free()
	}
}
