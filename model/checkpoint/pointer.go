package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Which selects a checkpoint of a run.
type Which int

const (
	Best   Which = iota // the one that `best` points to; the newest complete one if there is no `best`
	Newest              // the newest complete one
)

// String returns the name of the pointer in the checkpoints folder: "best" or "latest".
func (w Which) String() string {
	if w == Best {
		return "best"
	}
	return "latest"
}

// point makes the pointer which of dir name the checkpoint target, atomically: a relative symbolic link, or, where the file
// system has none, a file that holds the name and a newline.
func (d disk) point(dir string, which Which, target string) error {
	path := filepath.Join(dir, which.String())
	temporary := filepath.Join(dir, savingPrefix+which.String())
	if err := os.Symlink(target, temporary); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return explainWrite(err)
		}
		if err := d.writePointerFile(temporary, target); err != nil {
			return explainWrite(err)
		}
	}
	if err := d.rename(temporary, path); err != nil {
		return errors.Join(explainWrite(err), os.Remove(temporary))
	}
	if err := d.sync(dir); err != nil {
		return explainWrite(err)
	}
	return nil
}

func (d disk) writePointerFile(path, target string) error {
	file, err := d.create(path)
	if err != nil {
		return err
	}
	_, err = file.Write([]byte(target + "\n"))
	return errors.Join(err, file.Sync(), file.Close())
}

// pointed returns the name of the checkpoint that the pointer which of dir names, or "" if there is no such pointer.
func pointed(dir string, which Which) (string, error) {
	return readPointer(filepath.Join(dir, which.String()))
}

func readPointer(path string) (string, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", openError(err)
	}
	var target string
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		target, err = os.Readlink(path)
	case info.Mode().IsRegular() && info.Size() < 64:
		var content []byte
		content, err = os.ReadFile(path)
		target = strings.TrimSuffix(string(content), "\n")
	}
	if err != nil {
		return "", openError(err)
	}
	if _, ok := stepOf(target); !ok {
		return "", fmt.Errorf("%s: points to %q, want a checkpoint such as %s beside it: point it to one, or remove it", path, target, stepName(100))
	}
	return target, nil
}

// Point makes the pointer which of the checkpoints folder of a saved checkpoint name that checkpoint: what a trainer does
// with Best when an evaluation after the save finds it to be the best.
func Point(checkpoint string, which Which) error {
	dir, name := filepath.Split(filepath.Clean(checkpoint))
	if _, ok := stepOf(name); !ok {
		return fmt.Errorf("%s: got a directory called %q, want a checkpoint such as %s: give what Save returned", checkpoint, name, stepName(100))
	}
	if err := Verify(checkpoint, false); err != nil {
		return err
	}
	return realDisk().point(filepath.Clean(dir), which, name)
}
