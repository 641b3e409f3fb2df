//go:build unix

package checkpoint

import (
	"errors"
	"fmt"
	"os"
)

// syncDirectory makes the names in dir durable.
func syncDirectory(dir string) error {
	file, err := os.Open(dir)
	if err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", dir, err), file.Close())
	}
	return file.Close()
}
