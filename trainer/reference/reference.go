// Package reference holds a device's numbers against values that PyTorch computed in float64: logits, loss, every gradient,
// greedy continuation, and twelve training steps.
//
// It takes a folder as made by make_reference.py (config.json, model.safetensors, reference.safetensors; the optimizer's
// settings in README.json beside them or one folder up) and gives a Report with the error and the tolerance of each check,
// and the tensor that is worst. Errors are for folders that cannot be read; numbers beyond tolerance are in the Report.
package reference

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"atoll/kernels"
	"atoll/model"
	"atoll/model/checkpoint"
	"atoll/trainer/optim"
)

// Check is one comparison.
type Check struct {
	Name      string  `json:"name"`
	Error     float64 `json:"error"`
	Tolerance float64 `json:"tolerance"`
	Worst     string  `json:"worst"` // the tensor, and the element of it, where the error is largest
}

// Passed reports whether the error is within tolerance; a NaN is not.
func (c Check) Passed() bool { return c.Error <= c.Tolerance }

// Report is what Hold found in one folder.
type Report struct {
	Dir       string  `json:"dir"`
	Device    string  `json:"device"`
	Precision string  `json:"precision"`
	Checks    []Check `json:"checks"`
}

// Passed reports whether every check passed.
func (r Report) Passed() bool {
	for _, c := range r.Checks {
		if !c.Passed() {
			return false
		}
	}
	return len(r.Checks) > 0
}

// Tolerances of the fp32 checks, as shared reference/README.md states them. Gradients are relative to the largest
// magnitude of the tensor and gradient norms to the norm; the others are absolute.
const (
	logitsTolerance  = 1e-5
	lossTolerance    = 3e-6
	gradTolerance    = 1e-5
	trainTolerance   = 1e-5
	weightsTolerance = 2e-4
)

// Find gives the reference folders at or directly below dir.
func Find(dir string) ([]string, error) {
	if isReference(dir) {
		return []string{dir}, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, e := range entries {
		if sub := filepath.Join(dir, e.Name()); e.IsDir() && isReference(sub) {
			found = append(found, sub)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: no reference.safetensors here or one folder down: want a folder made by make_reference.py", dir)
	}
	return found, nil
}

func isReference(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "reference.safetensors"))
	return err == nil
}

// set is an open reference folder.
type set struct {
	dir       string
	config    model.Config
	weights   *checkpoint.Checkpoint
	values    *checkpoint.File
	optimizer settings
}

// settings of the twelve training steps.
type settings struct {
	Steps   int     `json:"steps"`
	Peak    float64 `json:"peak_lr"`
	Min     float64 `json:"min_lr"`
	Warmup  int     `json:"warmup_steps"`
	Decay   float32 `json:"weight_decay"`
	Clip    float32 `json:"grad_clip_norm"`
	Beta1   float32 `json:"beta1"`
	Beta2   float32 `json:"beta2"`
	Epsilon float32 `json:"eps"`
}

func (s settings) schedule() optim.Schedule {
	return optim.Schedule{Peak: s.Peak, Min: s.Min, Warmup: s.Warmup, Steps: s.Steps}
}

func (s settings) adamW() optim.AdamW {
	return optim.AdamW{Beta1: s.Beta1, Beta2: s.Beta2, Epsilon: s.Epsilon, Decay: s.Decay, Clip: s.Clip}
}

func open(dir string) (*set, error) {
	s := &set{dir: dir}
	var err error
	if s.optimizer, err = readSettings(dir); err != nil {
		return nil, err
	}
	if s.weights, err = checkpoint.Open(dir, checkpoint.Options{}); err != nil {
		return nil, err
	}
	s.config = s.weights.Config
	if s.values, err = checkpoint.OpenFile(filepath.Join(dir, "reference.safetensors")); err != nil {
		return nil, errors.Join(err, s.weights.Close())
	}
	return s, nil
}

func (s *set) close() error { return errors.Join(s.values.Close(), s.weights.Close()) }

func readSettings(dir string) (settings, error) {
	var file struct {
		Optimizer settings `json:"optimizer"`
	}
	for _, path := range []string{filepath.Join(dir, "README.json"), filepath.Join(dir, "..", "README.json")} {
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return settings{}, err
		}
		if err := json.Unmarshal(text, &file); err != nil {
			return settings{}, fmt.Errorf("%s: %w", path, err)
		}
		if file.Optimizer.Steps < 1 {
			return settings{}, fmt.Errorf("%s: optimizer.steps is %d, want at least 1", path, file.Optimizer.Steps)
		}
		return file.Optimizer, nil
	}
	return settings{}, fmt.Errorf("%s: README.json with the optimizer's settings is neither here nor one folder up", dir)
}

// floats reads a stored fp32 tensor.
func (s *set) floats(name string) ([]float32, error) {
	t, err := s.values.Tensor(name)
	if err != nil {
		return nil, err
	}
	values := make([]float32, elements(t.Shape))
	return values, s.values.ReadFloat32(name, values)
}

// ints reads a stored int32 tensor and its shape.
func (s *set) ints(name string) ([]int32, []int, error) {
	t, err := s.values.Tensor(name)
	if err != nil {
		return nil, nil, err
	}
	if t.DType != checkpoint.I32 {
		return nil, nil, fmt.Errorf("%s: tensor %s is %s, want I32", s.values.Path(), name, t.DType)
	}
	values := make([]int32, elements(t.Shape))
	copy(kernels.BytesOf(values), t.Data)
	return values, t.Shape, nil
}

func elements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}
