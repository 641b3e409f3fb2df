//go:build !linux

package cpu

import (
	"errors"
	"fmt"
	"runtime"
)

// Memory is errors.ErrUnsupported: atoll does not know how to ask this system.
func (d *Device) Memory() (free, total int64, err error) {
	return 0, 0, fmt.Errorf("how much memory is free on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
