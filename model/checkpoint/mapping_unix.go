//go:build unix

package checkpoint

import (
	"os"

	"golang.org/x/sys/unix"
)

// isMapped says that mapFile gives the file itself, outside the Go heap.
const isMapped = true

// mapFile maps the whole file for reading, and returns how to end the mapping.
func mapFile(file *os.File, size int64) ([]byte, func() error, error) {
	if size == 0 {
		return nil, func() error { return nil }, nil
	}
	data, err := unix.Mmap(int(file.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, err
	}
	return data, func() error { return unix.Munmap(data) }, nil
}
