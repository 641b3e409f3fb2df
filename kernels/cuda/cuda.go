// Package cuda runs kernels on NVIDIA GPUs: gorgonia.org/cu for devices, memory, modules and streams, a launcher in C for each
// kernel of the signature table, and the kernels themselves in CUDA (folder source), compiled by make gpu and embedded.
//
// It is built with the tag gpu; without it Open says how to get it. No CUDA library is linked: the driver is loaded when a
// device is first asked for, from ATOLL_LIBCUDA where that is set. Matrix products are made by NVIDIA's cublasLt, 13 or 12, where
// it is found and knows the shape, else by kernels of our own; ATOLL_LIBCUBLASLT names it, or is none. A program is launched
// plainly at its first run, captured in a CUDA graph at its second and replayed from there; the inputs of the run behind it can be
// uploaded meanwhile, by a second stream (NewStaged). CUDA_LAUNCH_BLOCKING=1 makes a device
// wait after each call, so that an error names its instruction.
//
// Results depend on the inputs, the device's model and cublasLt's version only. A device may be used by several goroutines; what
// they ask for is done one after the other on one thread of the system. Memory is given back by Free and Close only.
package cuda

import (
	"fmt"
	"strings"

	"atoll/kernels"
)

// Info is a GPU that the driver has.
type Info struct {
	Index      int
	Name       string // the model
	Capability int    // compute capability, 90 for 9.0
	Processors int    // streaming multiprocessors
	Memory     int64  // bytes
	Driver     string // what tells its driver from another
	Unusable   string // why Open refuses it, empty where it does not
}

func (i Info) String() string {
	return fmt.Sprintf("%s, compute capability %d.%d, %d processors, %.1f GiB", i.Name, i.Capability/10, i.Capability%10, i.Processors,
		gib(i.Memory))
}

// UnavailableError says that there is no CUDA here: what is missing, and how to get it.
type UnavailableError struct {
	Missing, Remedy string
}

func (e *UnavailableError) Error() string { return fmt.Sprintf("no CUDA: %s: %s", e.Missing, e.Remedy) }

// OutOfMemoryError says that the device did not have the bytes that were asked for.
type OutOfMemoryError struct {
	Device              string
	Wanted, Free, Total int64
}

func (e *OutOfMemoryError) Error() string {
	return fmt.Sprintf("%s: out of memory: want %d bytes (%.1f GiB), and %d (%.1f GiB) of %d (%.1f GiB) are free: "+
		"use a smaller batch, sequence or model, or end other programs on the GPU",
		e.Device, e.Wanted, gib(e.Wanted), e.Free, gib(e.Free), e.Total, gib(e.Total))
}

func gib(bytes int64) float64 { return float64(bytes) / (1 << 30) }

// Error is what the driver answered.
type Error struct {
	Device  string
	Index   int            // of the call in the program, or -1 where it is not known
	Kernel  kernels.Kernel // of that call
	Calls   int            // of the program, where Index is not known; 0 outside of a program
	Doing   string         // "launching ...", "allocating ..."; may be empty
	Code    int            // the CUresult
	Name    string         // CUDA_ERROR_...
	Message string         // the driver's words
}

func (e *Error) Error() string {
	parts := []string{e.Device}
	switch {
	case e.Index >= 0:
		parts = append(parts, fmt.Sprintf("instruction %d, %v", e.Index, e.Kernel))
	case e.Calls > 0:
		parts = append(parts, fmt.Sprintf("one of %d instructions", e.Calls))
	}
	if e.Doing != "" {
		parts = append(parts, e.Doing)
	}
	parts = append(parts, fmt.Sprintf("%s (%d, %s)", e.Name, e.Code, e.Message), e.remedy())
	return strings.Join(parts, ": ")
}

// The driver's answers that have a remedy of their own.
const (
	codeOutOfMemory       = 2
	codeNoDevice          = 100
	codeNoBinary          = 209
	codeECC               = 214
	codeInvalidPTX        = 218
	codeUnsupportedPTX    = 222
	codeNotFound          = 500
	codeIllegalAddress    = 700
	codeOutOfResources    = 701
	codeTimeout           = 702
	codeMisalignedAddress = 716
	codeLaunchFailed      = 719
)

// remedy is what to do about the error.
func (e *Error) remedy() string {
	switch e.Code {
	case codeOutOfMemory:
		return "use a smaller batch, sequence or model, or end other programs on the GPU"
	case codeNoBinary, codeInvalidPTX, codeNotFound:
		return "this build's kernels do not suit the device: build with make gpu, or use the CPU"
	case codeUnsupportedPTX:
		return "update NVIDIA's driver"
	case codeECC:
		return "the GPU's memory is damaged: use another one"
	case codeOutOfResources:
		return "the kernel wants more registers or shared memory than the device has: report it, with the device's model"
	case codeTimeout:
		return "the GPU also drives a display that stops long kernels: use a smaller batch, or another GPU"
	case codeIllegalAddress, codeMisalignedAddress, codeLaunchFailed:
		if e.Index < 0 {
			return "the device is lost to this process; run again with CUDA_LAUNCH_BLOCKING=1 to see which instruction it is, and report it"
		}
		return "the device is lost to this process; report the instruction, with the device's model"
	}
	return "the device may be lost to this process: run again, from the last checkpoint, and see what nvidia-smi says"
}
