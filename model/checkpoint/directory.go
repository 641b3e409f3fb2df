package checkpoint

import (
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// directoryWriter writes the files of one checkpoint and notes each in the manifest.
type directoryWriter struct {
	dir      string
	create   func(path string) (syncWriter, error)
	manifest manifest
}

// writeFile creates name, lets fill write into it and syncs it to the disk. Its checksum is taken on the way.
func (w *directoryWriter) writeFile(name string, fill func(io.Writer) error) error {
	path := filepath.Join(w.dir, name)
	file, err := w.create(path)
	if err != nil {
		return err
	}
	summed := &summingWriter{w: file, sum: crc32.New(crc32.MakeTable(crc32.Castagnoli))}
	if err := fill(summed); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", path, err), file.Close())
	}
	if err := file.Sync(); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", path, err), file.Close())
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	w.manifest.Files[name] = fileEntry{Bytes: summed.bytes, CRC32C: formatChecksum(summed.sum.Sum32())}
	return nil
}

func (w *directoryWriter) writeBytes(name string, content []byte) error {
	return w.writeFile(name, func(to io.Writer) error {
		_, err := to.Write(content)
		return err
	})
}

// summingWriter passes bytes on, and sums and counts those that were taken.
type summingWriter struct {
	w     io.Writer
	sum   hash.Hash32
	bytes int64
}

func (s *summingWriter) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.sum.Write(p[:n]) // a hash's Write never fails
	s.bytes += int64(n)
	return n, err
}

// publish gives the finished temporary directory its name and syncs the parent. A directory that already has the name is
// moved aside first and left for clean to delete, so that one of the two is found at every moment (see candidates).
func publish(temporary, path string) error {
	parent, name := filepath.Split(path)
	parent = filepath.Clean(parent)
	aside := filepath.Join(parent, replacedPrefix+name)
	err := os.Rename(path, aside)
	replacing := err == nil
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return errors.Join(explainWrite(err), os.RemoveAll(temporary))
	}
	if err := os.Rename(temporary, path); err != nil {
		if replacing {
			err = errors.Join(err, os.Rename(aside, path))
		}
		return errors.Join(explainWrite(err), os.RemoveAll(temporary))
	}
	if err := syncDirectory(parent); err != nil {
		return explainWrite(err)
	}
	return nil
}

// clean deletes what a killed Save or Reap left in dir.
func clean(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return openError(err)
	}
	for _, entry := range entries {
		name := entry.Name()
		path := filepath.Join(dir, name)
		if step, replaced := strings.CutPrefix(name, replacedPrefix); replaced {
			if _, err := os.Lstat(filepath.Join(dir, step)); errors.Is(err, os.ErrNotExist) {
				if err := os.Rename(path, filepath.Join(dir, step)); err != nil {
					return explainWrite(err)
				}
				continue
			}
		} else if !strings.HasPrefix(name, savingPrefix) && !strings.HasPrefix(name, removingPrefix) {
			continue
		}
		if err := os.RemoveAll(path); err != nil {
			return explainWrite(err)
		}
	}
	return nil
}
