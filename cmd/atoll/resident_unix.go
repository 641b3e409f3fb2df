//go:build unix

package main

import (
	"runtime"
	"syscall"
)

// residentBytes is the most memory that the process has held so far; 0 where the system does not say.
func residentBytes() int64 {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return int64(usage.Maxrss)
	}
	return int64(usage.Maxrss) << 10 // in KiB elsewhere
}
