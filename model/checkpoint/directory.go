package checkpoint

import (
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"path/filepath"
)

// directoryWriter writes the files of one checkpoint and notes each in the manifest.
type directoryWriter struct {
	dir      string
	disk     disk
	manifest manifest
}

// writeFile creates name, lets fill write into it and syncs it to the disk. Its checksum is taken on the way.
func (w *directoryWriter) writeFile(name string, fill func(io.Writer) error) error {
	path := filepath.Join(w.dir, name)
	file, err := w.disk.create(path)
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
