package data

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const manifestName = "dataset.json"

// checkTarget refuses an output that must not be replaced.
func checkTarget(out string, overwrite bool) error {
	info, err := os.Lstat(out)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("output %s cannot be looked at: %w: choose another", out, err)
	}
	if !overwrite {
		return fmt.Errorf("output %s exists: choose another, or pass --overwrite to replace a data directory", out)
	}
	if !info.IsDir() {
		return fmt.Errorf("output %s is not a folder, so --overwrite leaves it alone: choose another", out)
	}
	entries, err := os.ReadDir(out)
	if err != nil {
		return fmt.Errorf("output %s cannot be looked at: %w: choose another", out, err)
	}
	if _, err := os.Lstat(filepath.Join(out, manifestName)); err != nil && len(entries) > 0 {
		return fmt.Errorf("output %s holds files but no %s, so it is no data directory and --overwrite leaves it alone: choose another",
			out, manifestName)
	}
	return nil
}

// target is a data directory being written under a temporary name beside its own.
type target struct {
	out       string
	dir       string // the temporary directory
	overwrite bool
}

func newTarget(out string, overwrite bool) (*target, error) {
	out = filepath.Clean(out)
	if err := checkTarget(out, overwrite); err != nil {
		return nil, err
	}
	parent, base := filepath.Split(out)
	if parent == "" {
		parent = "."
	}
	err := os.MkdirAll(parent, 0o777)
	var dir string
	if err == nil {
		dir, err = os.MkdirTemp(parent, "."+base+".tmp-")
	}
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		return nil, fmt.Errorf("output %s cannot be written: %w: choose a folder you may write to", out, err)
	}
	return &target{out: out, dir: dir, overwrite: overwrite}, nil
}

// abandon removes what was written.
func (t *target) abandon() { os.RemoveAll(t.dir) }

// commit makes everything durable and gives the directory its name. A directory that is replaced keeps existing, under a
// name ending in .old, until the new one has its place; it comes back if that fails.
func (t *target) commit() error {
	if err := syncAll(t.dir); err != nil {
		return err
	}
	if err := checkTarget(t.out, t.overwrite); err != nil { // someone may have been faster
		return err
	}
	old := t.dir + ".old"
	err := os.Rename(t.out, old)
	replaced := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("output %s cannot be replaced: %w", t.out, err)
	}
	if err := os.Rename(t.dir, t.out); err != nil {
		if replaced {
			err = errors.Join(err, os.Rename(old, t.out))
		}
		return fmt.Errorf("output %s cannot be put in place: %w", t.out, err)
	}
	if err := syncPath(filepath.Dir(t.out)); err != nil {
		return err
	}
	if replaced {
		return os.RemoveAll(old)
	}
	return nil
}

// syncAll flushes the files of a flat directory and the directory to the disk.
func syncAll(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := syncPath(filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	return syncPath(dir)
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("%s cannot be flushed to the disk: %w", path, err)
	}
	return nil
}
