package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"atoll/model"
)

const (
	indexFile  = "model.safetensors.index.json" // of a model in several files
	pickleFile = "pytorch_model.bin"
	bodyPrefix = "transformer."
	embedding  = "transformer.wte.weight"
	tiedHead   = "lm_head.weight"
	scoreHead  = "score.weight"
)

// weights are the tensors of a model directory, from one file or several.
type weights struct {
	dir    string
	files  []*File
	byName map[string]location // by the name that model.Params uses
}

// location is where a tensor is stored.
type location struct {
	file   *File
	stored string // its name there
}

// openWeights opens model.safetensors, or else every file that the index names.
func openWeights(dir string) (*weights, error) {
	names := []string{weightsFile}
	if !exists(filepath.Join(dir, weightsFile)) {
		var err error
		if names, err = readIndex(dir); err != nil {
			return nil, err
		}
	}
	w := &weights{dir: dir, byName: map[string]location{}}
	for _, name := range names {
		if err := w.add(filepath.Join(dir, name)); err != nil {
			return nil, errors.Join(err, w.close())
		}
	}
	return w, nil
}

// readIndex returns the names of the files of a model in several files.
func readIndex(dir string) ([]string, error) {
	path := filepath.Join(dir, indexFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noWeights(dir)
	}
	if err != nil {
		return nil, openError(err)
	}
	var index struct {
		Map map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(text, &index); err != nil || len(index.Map) == 0 {
		return nil, fmt.Errorf("%s: got no weight_map (%v), want an object from tensor to file: copy the model again", path, err)
	}
	names := slices.Compact(slices.Sorted(maps.Values(index.Map)))
	for _, name := range names {
		if !filepath.IsLocal(name) || filepath.Base(name) != name {
			return nil, fmt.Errorf("%s: got file name %q, want one inside the directory: copy the model again", path, name)
		}
	}
	return names, nil
}

// noWeights explains a directory without any safetensors file.
func noWeights(dir string) error {
	if exists(filepath.Join(dir, pickleFile)) || exists(filepath.Join(dir, pickleFile+".index.json")) {
		return fmt.Errorf("%s: got %s, want %s: convert it with python -c \"from transformers import AutoModelForCausalLM as M; M.from_pretrained('%s').save_pretrained('%s')\" (AutoModelForSequenceClassification for a classifier)",
			dir, pickleFile, weightsFile, dir, dir)
	}
	return fmt.Errorf("%s: got no %s, want one: copy the whole model directory", dir, weightsFile)
}

// add opens one file and enters its tensors under the names of model.Params.
func (w *weights) add(path string) error {
	file, err := OpenFile(path)
	if err != nil {
		return err
	}
	w.files = append(w.files, file)
	for _, stored := range file.Names() {
		name := canonical(stored)
		if other, twice := w.byName[name]; twice {
			return fmt.Errorf("%s: tensor %q stands for %q, which %s has as %q: remove one of them", path, stored, name, other.file.path, other.stored)
		}
		w.byName[name] = location{file, stored}
	}
	return nil
}

// canonical returns the name that model.Params has for a stored one: the first GPT-2 files lack the "transformer.".
func canonical(stored string) string {
	for _, part := range []string{"wte.", "wpe.", "h.", "ln_f."} {
		if strings.HasPrefix(stored, part) {
			return bodyPrefix + stored
		}
	}
	return stored
}

func (w *weights) close() error {
	var errs []error
	for _, file := range w.files {
		errs = append(errs, file.Close())
	}
	return errors.Join(errs...)
}

// match is a parameter and where its values are.
type match struct {
	param model.Param
	location
}

// match finds every parameter and accounts for every tensor.
func (w *weights) match(params []model.Param, optional []string) ([]match, Loaded, error) {
	var found []match
	var loaded Loaded
	used := map[string]bool{}
	for _, p := range params {
		used[p.Name] = true
		at, err := w.find(p)
		if err != nil {
			if !slices.Contains(optional, p.Name) {
				return nil, Loaded{}, err
			}
			loaded.Absent = append(loaded.Absent, p.Name)
			continue
		}
		found = append(found, match{p, at})
	}
	for _, name := range slices.Sorted(maps.Keys(w.byName)) {
		switch {
		case used[name], isMask(name), name == tiedHead && w.tied():
		case name == scoreHead, name == tiedHead:
			loaded.Ignored = append(loaded.Ignored, name)
		default:
			at := w.byName[name]
			return nil, Loaded{}, fmt.Errorf("%s: tensor %q is unexpected: the model has no such parameter; give the %s that belongs to these weights", at.file.path, at.stored, configFile)
		}
	}
	return found, loaded, nil
}

// find returns where p is stored and checks its type and shape.
func (w *weights) find(p model.Param) (location, error) {
	at, ok := w.byName[p.Name]
	if !ok && p.Name == embedding {
		at, ok = w.byName[tiedHead] // some tools keep the other name of the tied pair
	}
	if !ok {
		return location{}, fmt.Errorf("%s: tensor %q is missing, want it of shape %v: give weights that belong to %s", w.dir, p.Name, p.Shape, configFile)
	}
	t, err := at.file.Tensor(at.stored)
	if err != nil {
		return location{}, err
	}
	if !t.DType.float() {
		return location{}, fmt.Errorf("%s: tensor %q: got dtype %s, want F32, F16 or BF16: convert it", at.file.path, at.stored, t.DType)
	}
	if !slices.Equal(t.Shape, p.Shape) {
		return location{}, fmt.Errorf("%s: tensor %q: got shape %v, want %v: give weights that belong to %s", at.file.path, at.stored, t.Shape, p.Shape, configFile)
	}
	return at, nil
}

// tied reports whether the stored head is the token embedding, or stands for it.
func (w *weights) tied() bool {
	body, ok := w.byName[embedding]
	if !ok {
		return true
	}
	head := w.byName[tiedHead]
	a, errA := body.file.Tensor(body.stored)
	b, errB := head.file.Tensor(head.stored)
	equal := false
	fault := guard(head.file.path, func() error {
		equal = a.DType == b.DType && slices.Equal(a.Shape, b.Shape) && bytes.Equal(a.Data, b.Data)
		return nil
	})
	return errors.Join(errA, errB, fault) == nil && equal
}

// isMask reports whether name is one of the constant attention masks that old files carry.
func isMask(name string) bool {
	return strings.HasPrefix(name, bodyPrefix+"h.") &&
		(strings.HasSuffix(name, ".attn.bias") || strings.HasSuffix(name, ".attn.masked_bias"))
}
