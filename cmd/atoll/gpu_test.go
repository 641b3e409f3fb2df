package main

import (
	"fmt"
	"os"
	"runtime"
	"testing"
)

// TestMain gives all tests, and the processes that they start, one cache of self-tests, and none of the user's.
func TestMain(m *testing.M) {
	const marker = "ATOLL_TEST_CACHE"
	if os.Getenv(marker) != "" {
		os.Exit(m.Run())
	}
	cache, err := os.MkdirTemp("", "atoll-cache")
	if err == nil {
		err = os.Setenv("XDG_CACHE_HOME", cache)
	}
	if err == nil {
		err = os.Setenv(marker, "1")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := os.RemoveAll(cache); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// Without a build ID nothing would be remembered, and with a constant one a new build would believe in an old one's kernels.
func TestBuildID(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("GPUs are used on Linux only")
	}
	if id := buildID(); len(id) < 40 {
		t.Errorf("the build ID is %q", id)
	}
}
