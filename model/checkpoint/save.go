package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"atoll/model"
)

// Names that a checkpoint has while it is not one. A kill may leave such a directory; the next Save deletes it.
const (
	savingPrefix   = ".saving-"   // being written
	removingPrefix = ".removing-" // being deleted
	replacedPrefix = ".replaced-" // an earlier save of the same step, until the new one stands in its place
)

// Snapshot is what Save writes.
type Snapshot struct {
	Step      int          // optimiser steps done; names the directory
	Config    model.Config // becomes config.json and generation_config.json
	Weights   []Source     // exactly those of Config.Params, in any order; becomes model.safetensors
	Optimizer []Source     // becomes optimizer.safetensors; empty for none
	State     []byte       // becomes state.json, and must be JSON; nil for none
	Best      bool         // whether `best` points to this checkpoint from now on

	// Files are further files by name, such as tokenizer.json; one called generation_config.json replaces atoll's own.
	Files map[string][]byte
}

// Save writes s as the directory step-NNNNNNNN under dir, the checkpoints folder of a run, which it makes if need be, and
// returns its path. Then `latest`, and with s.Best also `best`, point to it.
//
// At whatever moment the process is killed, the earlier checkpoints are untouched and the new one either stands complete
// under its name or is not seen by Latest. Everything is on the disk when Save returns. After an error the directory is
// as before, unless a path is returned with it: then the new checkpoint stands, but moving a pointer or deleting what it
// replaced failed. Only one process may save into dir at a time.
func Save(dir string, s Snapshot) (string, error) {
	return realDisk().save(dir, s)
}

// Export writes s as the model directory dir, which must not exist, with the same guarantees as Save.
func Export(dir string, s Snapshot) error {
	if _, err := os.Lstat(dir); err == nil {
		return fmt.Errorf("%s: got something that exists, want a new directory: remove it or choose another", dir)
	}
	parent, name := filepath.Split(filepath.Clean(dir))
	parent = filepath.Clean(parent)
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return explainWrite(err)
	}
	d := realDisk()
	temporary, err := d.write(parent, name, s)
	if err != nil {
		return err
	}
	return d.publish(temporary, dir)
}

func (d disk) save(dir string, s Snapshot) (string, error) {
	if s.Step < 0 {
		return "", fmt.Errorf("%s: got step %d, want 0 or more: count the steps from 0", dir, s.Step)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", explainWrite(err)
	}
	if err := d.clean(dir); err != nil {
		return "", err
	}
	name := stepName(s.Step)
	temporary, err := d.write(dir, name, s)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	if err := d.publish(temporary, path); err != nil {
		return "", err
	}
	pointers := []Which{Newest}
	if s.Best {
		pointers = append(pointers, Best)
	}
	for _, which := range pointers {
		if err := d.point(dir, which, name); err != nil {
			return path, err
		}
	}
	return path, d.clean(dir)
}

// write writes s into a temporary directory beside its final place and returns its path. After an error nothing is left.
func (d disk) write(parent, name string, s Snapshot) (temporary string, err error) {
	if err := s.check(); err != nil {
		return "", fmt.Errorf("%s not saved: %w", filepath.Join(parent, name), err)
	}
	temporary = filepath.Join(parent, savingPrefix+name)
	if err := os.RemoveAll(temporary); err != nil { // what a killed Export left
		return "", explainWrite(err)
	}
	if err := os.Mkdir(temporary, 0o777); err != nil {
		return "", explainWrite(err)
	}
	w := &directoryWriter{dir: temporary, disk: d, manifest: manifest{Version: manifestVersion, Files: map[string]fileEntry{}}}
	if err := w.writeAll(s); err != nil {
		return "", errors.Join(explainWrite(err), os.RemoveAll(temporary))
	}
	return temporary, nil
}

// check refuses a snapshot that could not be read back.
func (s Snapshot) check() error {
	params := s.Config.Params()
	given := make(map[string]Source, len(s.Weights))
	for _, t := range s.Weights {
		given[t.Name] = t
	}
	for _, p := range params {
		t, ok := given[p.Name]
		if !ok {
			return fmt.Errorf("tensor %q is missing from the weights: give one for each of Config.Params", p.Name)
		}
		if !t.DType.float() || !slices.Equal(t.Shape, p.Shape) {
			return fmt.Errorf("tensor %q: got %s %v, want F32, F16 or BF16 of shape %v: give it as Config.Params says", p.Name, t.DType, t.Shape, p.Shape)
		}
	}
	if len(s.Weights) != len(params) {
		return fmt.Errorf("got %d weights, want the %d of Config.Params: leave out the others", len(s.Weights), len(params))
	}
	if s.State != nil && !json.Valid(s.State) {
		return fmt.Errorf("%s: got %d bytes that are no JSON, want JSON: encode the state", stateFile, len(s.State))
	}
	for name := range s.Files {
		reserved := slices.Contains([]string{configFile, weightsFile, optimizerFile, stateFile, manifestFile}, name)
		if reserved || !filepath.IsLocal(name) || filepath.Base(name) != name || strings.HasPrefix(name, ".") {
			return fmt.Errorf("got file name %q, want a plain name that the checkpoint does not use itself: rename it", name)
		}
	}
	return nil
}

// explainWrite adds what to do to an error from writing, which names the path.
func explainWrite(err error) error {
	action := "look at the disk and the directory's rights; earlier checkpoints are untouched"
	switch {
	case errors.Is(err, syscall.ENOSPC):
		action = "free some space on that disk, or write elsewhere; earlier checkpoints are untouched"
	case errors.Is(err, fs.ErrPermission):
		action = "give this user the right to write there; earlier checkpoints are untouched"
	}
	return fmt.Errorf("checkpoint not saved: %w: %s", err, action)
}

// generationConfig returns what Transformers reads before it generates.
func generationConfig(c model.Config) ([]byte, error) {
	keys := map[string]any{"_from_model_config": true}
	if c.EndOfText != model.NoToken {
		keys["bos_token_id"], keys["eos_token_id"] = c.EndOfText, c.EndOfText
	}
	if c.PadToken != model.NoToken {
		keys["pad_token_id"] = c.PadToken
	}
	return json.MarshalIndent(keys, "", "  ")
}

// writeAll writes every file of s, the manifest last, and syncs the directory.
func (w *directoryWriter) writeAll(s Snapshot) error {
	config, err := s.Config.JSON()
	if err != nil {
		return err
	}
	generation, err := generationConfig(s.Config)
	if err != nil {
		return err
	}
	small := map[string][]byte{configFile: config, generationFile: generation}
	maps.Copy(small, s.Files)
	if s.State != nil {
		small[stateFile] = s.State
	}
	for _, name := range slices.Sorted(maps.Keys(small)) {
		if err := w.writeBytes(name, small[name]); err != nil {
			return err
		}
	}
	if err := w.writeFile(weightsFile, func(to io.Writer) error { return WriteFile(to, s.Weights) }); err != nil {
		return err
	}
	if len(s.Optimizer) > 0 {
		if err := w.writeFile(optimizerFile, func(to io.Writer) error { return WriteFile(to, s.Optimizer) }); err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(w.manifest, "", "  ")
	if err != nil {
		return err
	}
	if err := w.writeBytes(manifestFile, text); err != nil {
		return err
	}
	return w.disk.sync(w.dir)
}
