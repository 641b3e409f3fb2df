package cpu

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"unsafe"
)

// TestMemoryIsInterleaved: what Linux says of the memory of a buffer. A system without NUMA, or a container that may not ask for it, is
// no failure.
func TestMemoryIsInterleaved(t *testing.T) {
	d := open(t, Options{Threads: 1})
	b, err := d.NewBuffer(8 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Free()
	b.Bytes()[0] = 1
	maps, err := os.ReadFile("/proc/self/numa_maps")
	if err != nil {
		t.Skipf("no NUMA: %v", err)
	}
	at, policy := uintptr(unsafe.Pointer(unsafe.SliceData(b.Bytes()))), ""
	for line := range strings.Lines(string(maps)) { // in the order of addresses; what lies side by side may be one line
		var start uintptr
		var found string
		if n, _ := fmt.Sscanf(line, "%x %s", &start, &found); n == 2 && start <= at {
			policy = found
		}
	}
	if policy == "default" {
		t.Skip("the system refuses to interleave")
	}
	if !strings.HasPrefix(policy, "interleave:") {
		t.Errorf("the buffer's memory is %s, want it interleaved", policy)
	}
}
