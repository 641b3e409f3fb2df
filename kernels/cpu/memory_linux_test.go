package cpu

import (
	"syscall"
	"testing"
	"unsafe"
)

// Linux' numbers of NUMA policies, and of the question for that of an address.
const (
	interleaved = 3
	ofAddress   = 2
)

// TestMemoryIsInterleaved asks Linux for the policy of a buffer's memory. Where Linux refuses to interleave any memory, as in some
// containers, the buffer is memory all the same.
func TestMemoryIsInterleaved(t *testing.T) {
	d := open(t, Options{Threads: 1})
	b, err := d.NewBuffer(8 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Free()
	for at := int64(0); at < b.Size(); at += 4096 {
		if b.Bytes()[at] != 0 {
			t.Fatalf("byte %d is %d, want memory cleared", at, b.Bytes()[at])
		}
		b.Bytes()[at] = 1
	}
	var policy int32
	_, _, refused := syscall.Syscall6(syscall.SYS_GET_MEMPOLICY, uintptr(unsafe.Pointer(&policy)), 0, 0, uintptr(unsafe.Pointer(unsafe.SliceData(b.Bytes()))), ofAddress, 0)
	if refused == 0 && interleaves(t) && policy != interleaved {
		t.Errorf("the policy of the buffer's memory is %d, want %d: interleaved", policy, interleaved)
	}
}

// interleaves says whether Linux lets this process interleave memory: it tries a page over node 0.
func interleaves(t *testing.T) bool {
	t.Helper()
	page, err := syscall.Mmap(-1, 0, 4096, syscall.PROT_READ, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Munmap(page)
	nodes := []uint64{1}
	_, _, refused := syscall.Syscall6(syscall.SYS_MBIND, uintptr(unsafe.Pointer(unsafe.SliceData(page))), 4096, interleaved, uintptr(unsafe.Pointer(unsafe.SliceData(nodes))), 64, 0)
	return refused == 0
}
