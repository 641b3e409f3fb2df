package checkpoint

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// disk is the file system as far as the order of its changes matters; tests put one in its place that fails or stops.
type disk struct {
	create func(path string) (syncWriter, error) // makes a file that does not exist yet
	rename func(from, to string) error
	sync   func(dir string) error // makes the names in dir durable
}

// syncWriter is a file as far as saving needs it.
type syncWriter interface {
	io.WriteCloser
	Sync() error
}

func realDisk() disk {
	return disk{rename: os.Rename, sync: syncDirectory, create: func(path string) (syncWriter, error) {
		return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	}}
}

// publish gives the finished temporary directory its name and syncs the parent. A directory that already has the name is
// moved aside first and left for clean to delete, so that one of the two is found at every moment (see candidates).
func (d disk) publish(temporary, path string) error {
	parent, name := filepath.Split(path)
	parent = filepath.Clean(parent)
	aside := filepath.Join(parent, replacedPrefix+name)
	err := d.rename(path, aside)
	replacing := err == nil
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return errors.Join(explainWrite(err), os.RemoveAll(temporary))
	}
	if err := d.rename(temporary, path); err != nil {
		if replacing {
			err = errors.Join(err, d.rename(aside, path))
		}
		return errors.Join(explainWrite(err), os.RemoveAll(temporary))
	}
	if err := d.sync(parent); err != nil {
		return explainWrite(err)
	}
	return nil
}

// clean deletes what a killed Save or Reap left in dir.
func (d disk) clean(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return openError(err)
	}
	for _, entry := range entries {
		name := entry.Name()
		path := filepath.Join(dir, name)
		if step, replaced := strings.CutPrefix(name, replacedPrefix); replaced {
			if _, err := os.Lstat(filepath.Join(dir, step)); errors.Is(err, os.ErrNotExist) {
				if err := d.rename(path, filepath.Join(dir, step)); err != nil {
					return explainWrite(err)
				}
				continue
			}
			if err := d.remove(dir, name); err != nil {
				return err
			}
		}
		if strings.HasPrefix(name, savingPrefix) || strings.HasPrefix(name, removingPrefix) {
			if err := os.RemoveAll(path); err != nil {
				return explainWrite(err)
			}
		}
	}
	return nil
}
