//go:build gpu

package cuda

/*
#include "run.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"unsafe"

	"gorgonia.org/cu"

	"atoll/kernels"
)

// stagingBytes is the pinned memory through which all copies go: the largest that a batch needs, and enough for the bus to
// be busy while weights are read.
const stagingBytes = 8 << 20

// Device is a GPU. It implements kernels.Device.
type Device struct {
	mu     sync.Mutex // one job at a time; guards all that follows
	thread *thread    // nil once closed
	info   Info
	handle cu.Device
	held   bool // the context
	stream cu.Stream
	copies cu.Stream // of uploads beside a run
	gpu    *C.gpu

	withheld [kernels.Count]string // why a kernel is not used; empty for the others

	modules []cu.Module
	buffers map[*buffer]struct{} // that were not freed
	faults  cu.DevicePtr         // a fault_record
	seen    *C.fault_record      // its copy in pinned memory

	underWay *program // started, and not waited for yet

	staging  []byte // pinned memory
	staged   int    // of it are in copies that the stream may not have done yet
	transfer transfer

	scratch      cu.DevicePtr
	scratchBytes int64
}

var _ kernels.Stager = (*Device)(nil)

// Open starts a GPU by its number, from 0. Where there is no CUDA it is an *UnavailableError.
func Open(index int) (*Device, error) {
	infos, err := Found()
	if err != nil {
		return nil, err
	}
	if index < 0 || index >= len(infos) {
		return nil, fmt.Errorf("cuda:%d: want a number from 0 to %d: atoll inspect devices lists the GPUs", index, len(infos)-1)
	}
	if infos[index].Unusable != "" {
		return nil, fmt.Errorf("%s, %s: %s: use another GPU or the CPU", name(index), infos[index].Name, infos[index].Unusable)
	}
	d := &Device{thread: newThread(), info: infos[index], buffers: map[*buffer]struct{}{}}
	if err := d.thread.run(jobFunc(d.start)); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// start makes the context current on the device's thread and what a program needs in it.
func (d *Device) start() error {
	var err error
	if d.handle, err = cu.GetDevice(d.info.Index); err != nil {
		return d.failure("finding the device", err)
	}
	context, err := d.handle.RetainPrimaryCtx()
	if err == nil {
		d.held = true
		err = cu.SetCurrentContext(context)
	}
	if err != nil {
		return d.failure("making a context", err)
	}
	// A stream that does not wait for the default stream of libraries; every copy is queued on it too.
	if d.stream, err = cu.MakeStream(cu.NonBlocking); err != nil {
		return d.failure("making a stream", err)
	}
	if d.copies, err = cu.MakeStream(cu.NonBlocking); err != nil {
		return d.failure("making a stream for uploads", err)
	}
	if err := d.pin(); err != nil {
		return err
	}
	if d.faults, err = d.allocate(C.sizeof_fault_record); err != nil {
		return err
	}
	stepwise := C.int(0)
	if os.Getenv("CUDA_LAUNCH_BLOCKING") == "1" {
		stepwise = 1
	}
	d.gpu = C.gpu_new(C.CUstream(unsafe.Pointer(d.stream.C())), C.CUstream(unsafe.Pointer(d.copies.C())), C.int(d.info.Processors),
		C.int(d.info.Capability), C.CUdeviceptr(d.faults), d.seen, stepwise)
	if d.gpu == nil {
		return fmt.Errorf("%s: the system refused memory for the device", d.Name())
	}
	return d.load()
}

// pin gets the host memory that the device copies from and to; the fault record's copy is the end of it.
func (d *Device) pin() error {
	p, err := d.pinned(stagingBytes + C.sizeof_fault_record)
	if err != nil {
		return err
	}
	d.staging = unsafe.Slice((*byte)(p), stagingBytes)
	d.seen = (*C.fault_record)(unsafe.Add(p, stagingBytes))
	return nil
}

// pinned is host memory that the device copies from and to by itself.
func (d *Device) pinned(bytes int64) (p unsafe.Pointer, err error) {
	if code := C.cuMemAllocHost(&p, C.size_t(bytes)); code != 0 {
		e := driverError(d.Name(), int(code))
		e.Doing = fmt.Sprintf("pinning %d bytes of host memory", bytes)
		return nil, e
	}
	return p, nil
}

// load gives the embedded kernels to the driver.
func (d *Device) load() error {
	names := images()
	if len(names) == 0 {
		return d.addModule("no kernels, since this build has none: build it with make gpu", placeholder)
	}
	for _, file := range names {
		image, err := fatbin.ReadFile(file)
		if err != nil {
			return err
		}
		if err := d.addModule(file, string(image)); err != nil {
			return err
		}
	}
	return nil
}

func (d *Device) addModule(what, image string) error {
	module, err := cu.LoadData(image)
	if err != nil {
		return d.failure("loading "+what, err)
	}
	d.modules = append(d.modules, module)
	if C.gpu_add_module(d.gpu, *(*C.CUmodule)(unsafe.Pointer(&module))) == 0 {
		return fmt.Errorf("%s: loading %s: there are more modules than the device has room for: raise MODULES in gpu.h", d.Name(), what)
	}
	return nil
}

// cu.Module holds a CUmodule and nothing else, or this does not compile.
var _ [unsafe.Sizeof(C.CUmodule(nil))]byte = [unsafe.Sizeof(cu.Module{})]byte{}

func (d *Device) failure(doing string, err error) error { return failure(d.Name(), doing, err) }

// Name is "cuda:" and the number.
func (d *Device) Name() string { return name(d.info.Index) }

// Describe is the GPU's model, compute capability, processors and memory.
func (d *Device) Describe() string { return d.info.String() }

// Info is what the driver tells of the GPU.
func (d *Device) Info() Info { return d.info }

// Has tells whether the device has the kernel and uses it.
func (d *Device) Has(k kernels.Kernel) bool {
	return C.gpu_has(C.uint32_t(k)) != 0 && d.withheld[k] == ""
}

// Withhold takes a kernel from the device, for a reason that the error of a program with the kernel gives. It belongs before
// the device's other uses.
func (d *Device) Withhold(k kernels.Kernel, why string) { d.withheld[k] = why }

// Memory is how many bytes of the device are free, and how many it has.
func (d *Device) Memory() (free, total int64, err error) {
	err = d.run(jobFunc(func() (err error) {
		if free, total, err = cu.MemInfo(); err != nil {
			return d.failure("asking for the free memory", err)
		}
		return nil
	}))
	return free, total, err
}

// LogitsBytes is a 48th of the device's memory, from 64 MiB to 2 GiB: four chunks of 8,192 rows in a step of GPT-2 with 32 rows of 1,024
// tokens on a GPU of 80 GB. With 99 chunks of 64 MiB the head takes an H100 twice as long: the gradient of the embedding, 154 MB, passes
// through its memory each time, and the products are small.
func (d *Device) LogitsBytes() int64 {
	const least, most, part = 64 << 20, 2 << 30, 48
	_, total, err := d.Memory()
	if err != nil {
		return least
	}
	return min(most, max(least, total/part))
}

// SetTF32 lets products of float32 round their operands to TF32, whose fraction has 10 bits, for the sake of tensor cores; at the
// start they do not. It is for a device that has no programs yet.
func (d *Device) SetTF32(on bool) error {
	flag := C.int(0)
	if on {
		flag = 1
	}
	return d.run(jobFunc(func() error { C.gpu_set_tf32(d.gpu, flag); return nil }))
}

// run has the device's thread do a job.
func (d *Device) run(j job) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.thread == nil {
		return fmt.Errorf("%s: it was closed", d.Name())
	}
	return d.thread.run(j)
}

// synchronize waits for the stream; after it no copy is under way.
func (d *Device) synchronize(doing string) error {
	if err := d.stream.Synchronize(); err != nil {
		return d.failure(doing, err)
	}
	d.staged = 0
	return nil
}

// Close gives everything of the device back. A second call does nothing.
func (d *Device) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.thread == nil {
		return nil
	}
	err := d.thread.run(jobFunc(d.stop))
	d.thread.end()
	d.thread = nil
	return err
}

// stop undoes start, as far as start came. It gives the first error; on a lost device all of its calls may fail.
func (d *Device) stop() error {
	var first error
	note := func(err error) {
		if err != nil && first == nil {
			first = d.failure("closing the device", err)
		}
	}
	streams := slices.DeleteFunc([]cu.Stream{d.stream, d.copies}, func(s cu.Stream) bool { return s == cu.Stream{} })
	for _, s := range streams {
		note(s.Synchronize())
	}
	C.gpu_free(d.gpu)
	for b := range d.buffers {
		note(b.release())
	}
	for _, p := range []cu.DevicePtr{d.scratch, d.faults} {
		if p != 0 {
			note(cu.MemFree(p))
		}
	}
	for _, m := range d.modules {
		note(m.Unload())
	}
	if d.staging != nil {
		note(cu.MemFreeHost(unsafe.Pointer(unsafe.SliceData(d.staging))))
	}
	for _, s := range streams {
		note(s.Destroy())
	}
	if d.held {
		note(d.handle.ReleasePrimaryCtx())
	}
	d.gpu, d.staging = nil, nil
	return first
}
