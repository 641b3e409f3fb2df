package checkpoint

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ErrNone is wrapped by the error of Latest and Resolve for a run without a complete checkpoint.
var ErrNone = errors.New("no complete checkpoint")

// runFolder is where a run keeps its checkpoints.
const runFolder = "checkpoints"

// Resolve returns the model directory that path stands for: path itself if it is a model or checkpoint directory, or,
// if it is a run or its checkpoints folder, the checkpoint that which selects. Warnings say what was passed over.
// A `best` that points to a damaged checkpoint is an error, since another one would give other results.
func Resolve(path string, which Which) (dir string, warnings []string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", nil, openError(err)
	}
	if !info.IsDir() {
		// Where the file system has no links, RUN/checkpoints/best is a file with the name of a directory beside it.
		if name, err := readPointer(path); err == nil {
			return filepath.Join(filepath.Dir(path), name), nil, nil
		}
		return "", nil, fmt.Errorf("%s: got a file, want a directory: give a run, a checkpoint or a Hugging Face model directory", path)
	}
	if exists(filepath.Join(path, configFile)) {
		return path, nil, nil
	}
	dir = checkpointsOf(path)
	if which == Best {
		name, err := pointed(dir, Best)
		if err != nil {
			return "", nil, err
		}
		if name != "" {
			best := filepath.Join(dir, name)
			if err := complete(best); err != nil {
				return "", nil, fmt.Errorf("%s is damaged: %w; or name another checkpoint of %s", filepath.Join(dir, Best.String()), err, dir)
			}
			return best, nil, nil
		}
	}
	return Latest(path)
}

// Latest returns the newest complete checkpoint of a run (or of its checkpoints folder), by step. It looks at the
// checkpoints themselves, not at `latest`, which is one behind after a kill between two renames. Checkpoints that are
// newer but damaged are passed over, with one warning each. Without any the error wraps ErrNone.
func Latest(run string) (dir string, warnings []string, err error) {
	if _, err := os.Stat(run); err != nil {
		return "", nil, openError(err)
	}
	checkpoints := checkpointsOf(run)
	found, err := candidates(checkpoints)
	if err != nil {
		return "", nil, err
	}
	for _, c := range found {
		if err := complete(c.path); err != nil {
			warnings = append(warnings, fmt.Sprintf("passed over a damaged checkpoint: %v", err))
			continue
		}
		return c.path, warnings, nil
	}
	return "", warnings, fmt.Errorf("%s: %w, want a run with checkpoints, or a directory with %s: check the path", run, ErrNone, configFile)
}

// checkpointsOf returns the checkpoints folder of a run, or path itself if it has none.
func checkpointsOf(path string) string {
	inside := filepath.Join(path, runFolder)
	if info, err := os.Stat(inside); err == nil && info.IsDir() {
		return inside
	}
	return path
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// complete is Verify for a directory that must have a manifest.
func complete(dir string) error {
	if !exists(filepath.Join(dir, manifestFile)) {
		return fmt.Errorf("%s: no %s, want one: the checkpoint is incomplete, copy it again or use an older one", dir, manifestFile)
	}
	return Verify(dir, false)
}

// candidate is a directory that has the name of a checkpoint.
type candidate struct {
	step     int
	replaced bool // moved aside by a save of the same step that did not end
	path     string
}

// candidates returns those in dir, newest first.
func candidates(dir string) ([]candidate, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, openError(err)
	}
	var found []candidate
	for _, entry := range entries {
		name, replaced := strings.CutPrefix(entry.Name(), replacedPrefix)
		if step, ok := stepOf(name); ok && entry.IsDir() {
			found = append(found, candidate{step, replaced, filepath.Join(dir, entry.Name())})
		}
	}
	slices.SortFunc(found, func(a, b candidate) int { // of one step, the one under its own name first
		return cmp.Or(cmp.Compare(b.step, a.step), cmp.Compare(b.path, a.path))
	})
	return found, nil
}
