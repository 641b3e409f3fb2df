// Package checkpoint is the directory between trainer and server: a Hugging Face model directory, with atoll's own files
// beside it where a trainer made it.
//
// Save writes one below a run, atomically; Open reads one from a run, from a checkpoint or from any Hugging Face GPT-2
// directory, checks it against its configuration and hands out its weights under the names of model.Params. Below them
// are safetensors files: OpenFile and WriteFile. A file that is cut short, damaged or of another model is an error that
// names the file and the tensor, with what was got, what was wanted and what to do; no content of a file makes this
// package panic, and nothing is read into memory whole before it is checked.
package checkpoint

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"atoll/model"
)

// Options say how Open reads.
type Options struct {
	Which           Which // which checkpoint of a run; the zero value is Best
	VerifyChecksums bool  // read every file once more and hold it against the manifest
}

// Checkpoint is an open model directory. Methods may be called from several goroutines until Close.
type Checkpoint struct {
	Dir      string       // the model directory itself: for a run, the checkpoint that was chosen
	Config   model.Config // of config.json
	Warnings []string     // what Open passed over
	weights  *weights
}

// Open opens the model directory that path stands for (see Resolve): it reads config.json and the headers of the weights,
// and holds the sizes of all files against the manifest if there is one. The caller closes it.
func Open(path string, o Options) (*Checkpoint, error) {
	dir, warnings, err := Resolve(path, o.Which)
	if err != nil {
		return nil, err
	}
	if err := Verify(dir, o.VerifyChecksums); err != nil {
		return nil, err
	}
	c := &Checkpoint{Dir: dir, Warnings: warnings}
	if c.Config, err = readConfig(dir); err != nil {
		return nil, err
	}
	if c.weights, err = openWeights(dir); err != nil {
		return nil, err
	}
	return c, nil
}

func readConfig(dir string) (model.Config, error) {
	path := filepath.Join(dir, configFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return model.Config{}, openError(err)
	}
	config, err := model.Parse(text)
	if err != nil {
		return model.Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return config, nil
}

// Close ends the mapping of the weights.
func (c *Checkpoint) Close() error { return c.weights.close() }

// State returns state.json; a directory without one, such as a Hugging Face model, is an error.
func (c *Checkpoint) State() ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(c.Dir, stateFile))
	if err != nil {
		return nil, fmt.Errorf("training cannot be resumed: %w", openError(err))
	}
	return text, nil
}

// Optimizer opens optimizer.safetensors; a directory without one is an error. The caller closes the file.
func (c *Checkpoint) Optimizer() (*File, error) {
	file, err := OpenFile(filepath.Join(c.Dir, optimizerFile))
	if err != nil {
		return nil, fmt.Errorf("training cannot be resumed: %w", err)
	}
	return file, nil
}

// Loaded says what Load did besides filling the parameters.
type Loaded struct {
	Absent  []string // optional parameters that the files lack or hold in another shape: the caller initialises them
	Ignored []string // tensors that the model does not use: another task's score.weight, an lm_head.weight that is not wte
}

// Load fills the parameters of a model from the files. dst gives the destination of each, p.Len() elements; it is called
// once per parameter that is found. All names, types and shapes are checked before the first is read.
//
// Names count with and without "transformer."; the attention masks of old files and an lm_head.weight equal to
// transformer.wte.weight, to which it is tied, are skipped. A parameter that is missing or has another shape is an error unless optional
// names it (a new head on a language model: "score.weight"). A tensor beyond those is an error, except for the heads:
// score.weight of a classifier, and an lm_head.weight that differs, which Transformers drops too as the configuration
// ties it. Those are named in the result. Values that are not finite are an error.
func (c *Checkpoint) Load(params []model.Param, optional []string, dst func(p model.Param) []float32) (Loaded, error) {
	found, loaded, err := c.weights.match(params, optional)
	if err != nil {
		return Loaded{}, err
	}
	for _, m := range found {
		if err := m.file.readFloat32(m.stored, dst(m.param), m.finite); err != nil {
			return Loaded{}, err
		}
	}
	return loaded, nil
}

// firstNotFinite returns the index of the first NaN or infinity, or -1.
func firstNotFinite(values []float32) int {
	carry := uint32(0) // an exponent of all ones carries into the top bit; testing once is faster than testing each
	for _, v := range values {
		carry |= math.Float32bits(v)&0x7fffffff + 0x00800000
	}
	if carry>>31 == 0 {
		return -1
	}
	return slices.IndexFunc(values, func(v float32) bool { return v-v != 0 })
}
