package predict

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"unicode/utf8"

	"atoll/model/bpe"
)

// candidate is a token with its weight.
type candidate struct {
	id     int32
	weight float64
}

// choose draws the next token: temperature, then top-k, then top-p (Holtzman et al. 2020). Ties go to the smaller id.
func (s Sampling) choose(logits []float32, random *rand.Rand) int32 {
	if s.Temperature == 0 {
		best := 0
		for i, x := range logits {
			if x > logits[best] {
				best = i
			}
		}
		return int32(best)
	}
	all := make([]candidate, len(logits))
	most := float64(slices.Max(logits))
	for i, x := range logits {
		all[i] = candidate{int32(i), math.Exp((float64(x) - most) / s.Temperature)}
	}
	if s.TopK > 0 || s.TopP > 0 && s.TopP < 1 {
		slices.SortFunc(all, func(a, b candidate) int {
			return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(a.id, b.id))
		})
	}
	if s.TopK > 0 {
		all = all[:min(s.TopK, len(all))]
	}
	if s.TopP > 0 && s.TopP < 1 {
		all = nucleus(all, s.TopP)
	}
	at := random.Float64() * total(all)
	for _, c := range all {
		if at -= c.weight; at < 0 {
			return c.id
		}
	}
	return all[len(all)-1].id
}

// nucleus keeps the first candidates that together reach the share p; at least one.
func nucleus(sorted []candidate, p float64) []candidate {
	want, sum := p*total(sorted), 0.0
	for i, c := range sorted {
		if sum += c.weight; sum >= want {
			return sorted[:i+1]
		}
	}
	return sorted
}

func total(all []candidate) float64 {
	sum := 0.0
	for _, c := range all {
		sum += c.weight
	}
	return sum
}

// stream turns tokens into text, holding back bytes that begin a character until it is whole.
type stream struct {
	tokenizer *bpe.Tokenizer
	emit      func([]byte) error
	held      []byte
}

func (s *stream) add(id int32) error {
	var err error
	if s.held, err = s.tokenizer.Decode(s.held, []int32{id}); err != nil {
		return err
	}
	whole := len(s.held)
	for n := 1; n <= min(utf8.UTFMax-1, len(s.held)); n++ {
		if tail := s.held[len(s.held)-n:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				whole -= n
			}
			break
		}
	}
	if whole == 0 {
		return nil
	}
	err = s.emit(s.held[:whole])
	s.held = append(s.held[:0], s.held[whole:]...)
	return err
}

// close emits what is held back, whole or not.
func (s *stream) close() error {
	if len(s.held) == 0 {
		return nil
	}
	return s.emit(s.held)
}
