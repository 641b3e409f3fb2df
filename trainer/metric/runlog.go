package metric

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// maxRecord bounds a line of a run log, in bytes.
const maxRecord = 1 << 20

// Log appends records to a file, each in one write, so that a reader or a crash
// meets at most one torn line, the last.
type Log struct {
	file *os.File
}

// CreateLog makes the run log at path; it refuses an existing file.
func CreateLog(path string) (*Log, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("%s exists already: resume the run, or remove it to start anew", path)
	}
	if err != nil {
		return nil, fmt.Errorf("create run log: %w", err)
	}
	return &Log{file}, nil
}

// ResumeLog opens the run log at path to go on after the given step: lines of
// later steps and a torn last line are removed, lines kept stay byte for byte.
// A file that does not exist is made. A damaged line elsewhere is an error
// naming it, and the file stays as it was.
func ResumeLog(path string, step int64) (*Log, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return CreateLog(path)
	}
	if err != nil {
		return nil, fmt.Errorf("resume run log: %w", err)
	}
	var kept bytes.Buffer
	err = scanLog(bytes.NewReader(content), func(line []byte, r Record) {
		if r.Step <= step {
			kept.Write(line)
			kept.WriteByte('\n')
		}
	})
	if err != nil {
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	if !bytes.Equal(kept.Bytes(), content) {
		if err := replaceFile(path, kept.Bytes()); err != nil {
			return nil, fmt.Errorf("shorten run log to step %d: %w", step, err)
		}
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("resume run log: %w", err)
	}
	return &Log{file}, nil
}

// Append writes one record.
func (l *Log) Append(r Record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("run log: %w", err)
	}
	if _, err := l.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("run log: %w", err)
	}
	return nil
}

// Sync asks the system to bring what was appended to disk, for use when a
// checkpoint is saved.
func (l *Log) Sync() error { return l.file.Sync() }

// Close syncs and closes the file.
func (l *Log) Close() error { return errors.Join(l.file.Sync(), l.file.Close()) }

// ReadLog reads the run log at path. A torn last line, as a running or killed
// process leaves it, is left out; any other damage is an error naming its line.
func ReadLog(path string) ([]Record, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read run log: %w", err)
	}
	defer file.Close()
	var records []Record
	err = scanLog(file, func(_ []byte, r Record) { records = append(records, r) })
	if err != nil {
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	return records, nil
}

// replaceFile puts content in path's place so that a crash leaves the old or
// the new file.
func replaceFile(path string, content []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = temporary.Write(content)
	err = errors.Join(err, temporary.Chmod(0o644), temporary.Sync(), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		os.Remove(temporary.Name())
		return err
	}
	return syncFolder(filepath.Dir(path))
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
