//go:build gpu

package cuda

/*
#cgo CFLAGS: -std=c11 -Wall -Wextra
#cgo LDFLAGS: -lcuda -ldl -lm
#include <cuda.h>
#include <stdlib.h>
#include "forward/forward.h"
*/
import "C"

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync"
	"time"
	"unsafe"

	"gorgonia.org/cu"
)

// Built says whether this build has CUDA.
const Built = true

// leastCapability is the oldest GPU that the kernels run on: they need bf16 and cp.async.
const leastCapability = 80

// Build is the version of CUDA that this package was built with, and the kernels in it.
func Build() string {
	kernels := "without kernels: for the emulated driver only"
	if n := len(images()); n > 0 {
		kernels = fmt.Sprintf("%d modules of kernels for sm_80, sm_89, sm_90a, sm_100 and later", n)
	}
	return fmt.Sprintf("%d.%d, %s", C.CUDA_VERSION/1000, C.CUDA_VERSION%1000/10, kernels)
}

// driver loads and initialises the driver once in a process, whose driver it is; the error stays.
var driver = sync.OnceValue(func() error {
	var path *C.char
	if name := os.Getenv("ATOLL_LIBCUDA"); name != "" {
		path = C.CString(name)
		defer C.free(unsafe.Pointer(path))
	}
	reason := (*C.char)(C.calloc(1, 512))
	defer C.free(unsafe.Pointer(reason))
	switch C.forward_open(path, reason, 512) {
	case 0:
		return nil
	case -1:
		return &UnavailableError{"no driver: " + C.GoString(reason), "install NVIDIA's driver, or name a driver in ATOLL_LIBCUDA, or use the CPU"}
	case codeNoDevice:
		return &UnavailableError{"the driver finds no GPU", "see what nvidia-smi says, and whether CUDA_VISIBLE_DEVICES hides it, or use the CPU"}
	default:
		return &UnavailableError{"the driver does not start: " + C.GoString(reason), "see what nvidia-smi says, or use the CPU"}
	}
})

// Found are the GPUs that the driver has, also those that Open refuses. Without a driver or a GPU it is an *UnavailableError.
func Found() ([]Info, error) {
	if err := driver(); err != nil {
		return nil, err
	}
	n, err := cu.NumDevices()
	if err != nil {
		return nil, failure("cuda", "counting devices", err)
	}
	if n == 0 {
		return nil, &UnavailableError{"the driver finds no GPU", "see what nvidia-smi says, and whether CUDA_VISIBLE_DEVICES hides it, or use the CPU"}
	}
	infos := make([]Info, n)
	for i := range infos {
		if infos[i], err = describe(i); err != nil {
			return nil, failure(name(i), "asking what it is", err)
		}
	}
	return infos, nil
}

func name(index int) string { return fmt.Sprintf("cuda:%d", index) }

// describe asks the driver about one GPU.
func describe(index int) (Info, error) {
	info := Info{Index: index, Driver: driverVersion()}
	d, err := cu.GetDevice(index)
	if err == nil {
		info.Name, err = d.Name()
	}
	if err == nil {
		info.Memory, err = d.TotalMem()
	}
	var major, minor int
	for attribute, value := range map[cu.DeviceAttribute]*int{cu.ComputeCapabilityMajor: &major, cu.ComputeCapabilityMinor: &minor,
		cu.MultiprocessorCount: &info.Processors} {
		if err == nil {
			*value, err = d.Attribute(attribute)
		}
	}
	info.Capability = 10*major + minor
	if info.Capability < leastCapability {
		info.Unusable = fmt.Sprintf("its compute capability is %d.%d, and the kernels need 8.0 (A100, RTX 30) or later", major, minor)
	}
	return info, err
}

// driverVersion is the CUDA that the driver knows, and its release, or the file of a driver that ATOLL_LIBCUDA names.
func driverVersion() string {
	var version C.int
	text := "CUDA of no version"
	if C.cuDriverGetVersion(&version) == 0 {
		text = fmt.Sprintf("CUDA %d.%d", version/1000, version%1000/10)
	}
	if path := os.Getenv("ATOLL_LIBCUDA"); path != "" {
		text += ", " + path
		if file, err := os.Stat(path); err == nil {
			text += fmt.Sprintf(" of %d bytes at %s", file.Size(), file.ModTime().UTC().Format(time.RFC3339Nano))
		}
	} else if release, err := os.ReadFile("/sys/module/nvidia/version"); err == nil {
		text += ", release " + strings.TrimSpace(string(release))
	}
	return text
}

// failure is an error of the driver outside of a program.
func failure(device, doing string, err error) error {
	e := driverError(device, int(reflect.ValueOf(err).Int())) // cu's own type of a CUresult is not exported
	e.Doing = doing
	return e
}

// driverError names the code as the driver does.
func driverError(device string, code int) *Error {
	e := &Error{Device: device, Index: -1, Code: code, Name: "an error that the driver has no name for", Message: "no words for it"}
	var text *C.char
	if C.cuGetErrorName(C.CUresult(code), &text) == 0 && text != nil {
		e.Name = C.GoString(text)
	}
	if C.cuGetErrorString(C.CUresult(code), &text) == 0 && text != nil {
		e.Message = C.GoString(text)
	}
	return e
}
