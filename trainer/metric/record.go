package metric

import (
	"fmt"
	"math"
	"strconv"
)

// Number is a float64 that JSON can hold: NaN and infinities are written as
// null and read back as NaN.
type Number float64

// MarshalJSON implements json.Marshaler.
func (n Number) MarshalJSON() ([]byte, error) {
	f := float64(n)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, f, 'g', -1, 64), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *Number) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*n = Number(math.NaN())
		return nil
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return fmt.Errorf("%s is not a number", text)
	}
	*n = Number(f)
	return nil
}

// Record is one line of a run log. The first eight fields are on every line,
// null where there is no number; the others where they were measured.
type Record struct {
	Step            int64  `json:"step"`
	Tokens          int64  `json:"tokens"` // trained on since the run began
	Split           string `json:"split"`  // train, valid or test
	Loss            Number `json:"loss"`   // nats a token, or a document
	LearningRate    Number `json:"learning_rate"`
	GradNorm        Number `json:"grad_norm"` // before clipping
	TokensPerSecond Number `json:"tokens_per_second"`
	Seconds         Number `json:"seconds"` // of training since the run began

	Perplexity *Number `json:"perplexity,omitempty"`
	Accuracy   *Number `json:"accuracy,omitempty"`
	MacroF1    *Number `json:"macro_f1,omitempty"`
	MicroF1    *Number `json:"micro_f1,omitempty"`
	PeakShare  *Number `json:"peak_share,omitempty"`    // of the machine's peak, 0 to 1
	LossScale  *Number `json:"loss_scale,omitempty"`    // fp16: what the step's loss was multiplied by
	Skipped    *Number `json:"skipped_steps,omitempty"` // fp16: since the run began, this one included; its grad_norm is then null
}

// scalar is one named number of a record.
type scalar struct {
	name  string
	value float64
}

// scalars lists the numbers that were measured; of the eight fields of every
// line, those that are not finite were not, except the loss.
func (r Record) scalars() []scalar {
	list := []scalar{{"loss", float64(r.Loss)}}
	for _, s := range []scalar{
		{"learning_rate", float64(r.LearningRate)},
		{"grad_norm", float64(r.GradNorm)},
		{"tokens_per_second", float64(r.TokensPerSecond)},
	} {
		if !math.IsNaN(s.value) && !math.IsInf(s.value, 0) {
			list = append(list, s)
		}
	}
	for _, s := range []struct {
		name  string
		value *Number
	}{
		{"perplexity", r.Perplexity}, {"accuracy", r.Accuracy}, {"macro_f1", r.MacroF1},
		{"micro_f1", r.MicroF1}, {"peak_share", r.PeakShare},
		{"loss_scale", r.LossScale}, {"skipped_steps", r.Skipped},
	} {
		if s.value != nil {
			list = append(list, scalar{s.name, float64(*s.value)})
		}
	}
	return list
}
