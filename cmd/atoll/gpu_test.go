package main

import (
	"runtime"
	"testing"
)

// Without a build ID nothing would be remembered, and with a constant one a new build would believe in an old one's kernels.
func TestBuildID(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("GPUs are used on Linux only")
	}
	if id := buildID(); len(id) < 40 {
		t.Errorf("the build ID is %q", id)
	}
}
