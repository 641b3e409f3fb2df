//go:build gpu

package cuda

import (
	"os"
	"strings"
	"testing"
	"unsafe"

	"gorgonia.org/cu"
)

// Each fault that emulator/testdata/planted.cu has planted is found by the emulated driver, in a process of its own, since a
// device is lost with the first fault.
func TestPlanted(t *testing.T) {
	library := os.Getenv("ATOLL_PLANTED")
	if library == "" {
		t.Skip("ATOLL_PLANTED does not name build/libcuda-planted.so: make test-emulated does")
	}
	for _, f := range planted {
		t.Run(f.kernel, func(t *testing.T) {
			t.Parallel()
			output := again(t, "TestPlantedFault", "ATOLL_LIBCUDA="+library, "PLANTED="+f.kernel)
			for line := range strings.Lines(output) {
				if _, message, found := strings.Cut(strings.TrimSpace(line), "found: "); found {
					t.Log(message)
				}
			}
		})
	}
}

const (
	illegalAddress    = "CUDA_ERROR_ILLEGAL_ADDRESS (700, "
	misalignedAddress = "CUDA_ERROR_MISALIGNED_ADDRESS (716, "
	launchFailed      = "CUDA_ERROR_LAUNCH_FAILED (719, "
)

// planted are the kernels with what their error must say: nothing where they have no fault. They run in 2 blocks of 64 threads
// with 2048 bytes of shared memory, on n = 128 floats.
var planted = []struct {
	kernel string
	says   []string
}{
	{"faultless", nil},
	{"beyond_end", []string{illegalAddress, "beyond_end, block (2,0,0), thread (0,0,0)", "writes 4 bytes at allocation", " + 512 of 512 bytes"}},
	{"far_beyond_end", []string{illegalAddress, "thread (5,0,0)", "writes 4 bytes at allocation "}},
	{"misaligned", []string{misalignedAddress, "writes 16 bytes at", " + 4 of 512 bytes, and the address is no multiple of 16"}},
	{"beyond_shared", []string{illegalAddress, "thread (63,0,0)", "writes 4 bytes at shared memory + 256 of 256 bytes"}},
	{"unwritten", []string{launchFailed, "thread (7,0,0)", "reads 4 bytes at", " + 508 of 512 bytes, ", "nothing wrote there"}},
	{"unwritten_shared", []string{launchFailed, "thread (0,0,0)", "reads 4 bytes at shared memory + 0 of 2048 bytes, ", "nothing wrote there"}},
	{"no_barrier", []string{launchFailed, "shared memory", "no barrier is between them"}},
	{"no_barrier_behind", []string{launchFailed, "shared memory", "no barrier is between them"}},
	{"no_warp_operation", []string{launchFailed, "shared memory", "no warp operation is between them"}},
	{"half_barrier", []string{launchFailed, "threads 0 to 31 at __syncthreads in ", "planted.cu:", "; threads 32 to 63 ended"}},
	{"two_barriers", []string{launchFailed, "threads 0 to 31 at __syncthreads in ", "; threads 32 to 63 at __syncthreads in "}},
	{"half_warp", []string{launchFailed, "threads 0 to 15 at a shuffle in ", "; threads 16 to 31 ended; threads 32 to 47 at a shuffle in kernels/cuda/emulator/testdata/planted.cu"}},
	{"copied", nil},
	{"no_copy_wait", []string{launchFailed, "shared memory", "a copy_async of thread (32,0,0) is under way, which no copy_async_wait waited for"}},
	{"no_copy_barrier", []string{launchFailed, "shared memory + 512 of ", "nothing wrote there"}},
	{"blocks_write", []string{launchFailed, "block (1,0,0), thread (0,0,0)", "which thread (0,0,0) of block (0,0,0) writes in the same launch"}},
	{"blocks_read", []string{launchFailed, "block (1,0,0), thread (1,0,0)", "which thread (5,0,0) of block (0,0,0) writes in the same launch"}},
	{"last_block_adds", nil},
	{"no_fence", []string{launchFailed, "block (1,0,0)", "of block (0,0,0) writes in the same launch"}},
	{"counted", nil},
	{"atomic_and_plain", []string{launchFailed, "thread (40,0,0)", "writes 4 bytes at"}},
	{"stack_of_another", []string{illegalAddress, "writes 4 bytes at the stack of thread "}},
	{"stream_order", []string{launchFailed, "twice, ", "reads 4 bytes at", "fill writes, and no event, wait or order of a stream is between them"}},
	{"stream_order_behind", []string{launchFailed, "fill, ", "writes 4 bytes at", "twice reads, and no event"}},
	{"stream_order_event", nil},
	{"stream_order_wait", nil},
	{"freed", []string{illegalAddress, "writes 4 bytes at allocation", " + 0 of 512 bytes that were freed"}},
	{"host_memory", []string{illegalAddress, "writes 4 bytes at an address that is not the device's"}},
}

// TestPlantedFault runs the kernel that PLANTED names.
func TestPlantedFault(t *testing.T) {
	name := os.Getenv("PLANTED")
	if name == "" {
		t.Skip("TestPlanted runs it with a kernel")
	}
	d, err := Open(0)
	if err != nil {
		t.Fatal(err)
	}
	var got string
	err = d.run(jobFunc(func() error { return plant(d, name) }))
	if err != nil {
		got = d.failure("", err).Error()
	}
	t.Log("found: " + got)
	for _, f := range planted {
		if f.kernel != name {
			continue
		}
		if (got == "") != (f.says == nil) {
			t.Errorf("error is %q, want one that says %q", got, f.says)
		}
		for _, want := range f.says {
			if !strings.Contains(got, want) {
				t.Errorf("%q does not contain %q", got, want)
			}
		}
	}
	if err := d.Close(); (err == nil) != (got == "") {
		t.Errorf("closing the device gives %v after %q: a fault stays", err, got)
	}
}

// planting is a device with the arguments that the planted kernels take.
type planting struct {
	module        cu.Module
	a, b          cu.Stream
	out, in, word cu.DevicePtr
}

const plantedCount = 128

// plant runs one planted fault: a kernel of that name, or several on two streams.
func plant(d *Device, name string) error {
	p := planting{module: d.modules[0], a: d.stream}
	var errs [5]error
	p.b, errs[0] = cu.MakeStream(cu.NonBlocking)
	p.out, errs[1] = cu.MemAlloc(4 * plantedCount)
	p.in, errs[2] = cu.MemAlloc(4 * plantedCount)
	p.word, errs[3] = cu.MemAlloc(4)
	errs[4] = cu.MemsetD8Async(p.word, 0, 4, p.a)
	if err := firstOf(errs[:]...); err != nil {
		return err
	}
	if order, found := strings.CutPrefix(name, "stream_order"); found {
		return p.streams(order)
	}
	if name != "unwritten" {
		if err := cu.MemsetD8Async(p.in, 0, 4*plantedCount, p.a); err != nil {
			return err
		}
	}
	kernel, blocks, shared := name, 2, 2048
	switch name {
	case "beyond_end":
		blocks = 3
	case "beyond_shared":
		shared = 256
	case "counted":
		if err := cu.MemsetD8Async(p.out, 0, 4, p.a); err != nil {
			return err
		}
	case "freed":
		kernel = "fill"
		if err := firstOf(p.a.Synchronize(), cu.MemFree(p.out)); err != nil {
			return err
		}
	case "host_memory":
		kernel = "fill"
		p.out = cu.DevicePtr(uintptr(unsafe.Pointer(&d.staging[0])))
	}
	if err := p.launch(kernel, blocks, shared, p.a); err != nil {
		return err
	}
	return p.a.Synchronize()
}

func (p *planting) launch(kernel string, blocks, shared int, stream cu.Stream) error {
	f, err := p.module.Function(kernel)
	if err != nil {
		return err
	}
	n := int64(plantedCount)
	return f.Launch(blocks, 1, 1, 64, 1, 1, shared, stream,
		[]unsafe.Pointer{unsafe.Pointer(&p.out), unsafe.Pointer(&p.in), unsafe.Pointer(&n), unsafe.Pointer(&p.word)})
}

// streams has a kernel of one stream fill what a kernel of another one reads, or the other way round.
func (p *planting) streams(order string) error {
	event, err := cu.MakeEvent(cu.DefaultEvent)
	if err != nil {
		return err
	}
	filling := *p
	filling.out = p.in
	begin, end := func() error { return filling.launch("fill", 2, 0, p.a) }, func() error { return p.launch("twice", 2, 0, p.b) }
	if order == "_behind" {
		if err := firstOf(begin(), p.a.Synchronize()); err != nil {
			return err
		}
		begin, end = end, begin
	}
	err = begin()
	if err == nil && order == "_event" {
		err = firstOf(event.Record(p.a), p.b.Wait(event, 0))
	}
	if err == nil && order == "_wait" {
		err = p.a.Synchronize()
	}
	if err == nil {
		err = end()
	}
	if err == nil && order != "_behind" {
		err = p.a.Synchronize()
	}
	return firstOf(err, p.b.Synchronize(), p.a.Synchronize())
}

// firstOf is the first error there is, as the driver gave it.
func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
