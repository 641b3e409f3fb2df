//go:build !unix

package checkpoint

import (
	"io"
	"os"
)

// isMapped says that mapFile gives a copy.
const isMapped = false

// mapFile reads the whole file into memory, where there is no mapping to be had.
func mapFile(file *os.File, size int64) ([]byte, func() error, error) {
	data := make([]byte, size)
	if _, err := io.ReadFull(file, data); err != nil {
		return nil, nil, err
	}
	return data, func() error { return nil }, nil
}
