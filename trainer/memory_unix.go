//go:build unix

package trainer

import (
	"runtime"
	"syscall"
)

// PeakMemory is the most memory that the process has held at one time, in bytes; 0 where the system does not say.
func PeakMemory() int64 {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return int64(usage.Maxrss) // bytes there, kibibytes elsewhere
	}
	return int64(usage.Maxrss) << 10
}
