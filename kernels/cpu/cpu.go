// Package cpu runs kernels in C on the machine's processors: AVX-512 (with AMX or bf16 products where the CPU has them), AVX2
// and plain C from the same sources, chosen when a device is made.
//
// The result of a program depends on its inputs and on the variant, never on the number of threads or on timing. A
// device may be used by several goroutines; their programs run one after the other. Memory is outside the Go heap and is
// given back by Free and Close only.
package cpu

/*
#cgo CFLAGS: -std=c11 -g1 -Wall -Wextra -Wno-psabi
#cgo LDFLAGS: -lm -lpthread
#include "run.h"
*/
import "C"

import (
	"fmt"
	"strings"
	"sync"

	"atoll/kernels"
)

// MaxThreads is the most threads a device takes.
const MaxThreads = 256

// Options choose how a device computes. The zero value is the fastest way this machine has.
type Options struct {
	Threads int    // 0: one for each processor the process may use, a container's limit included
	Variant string // one of Variants; "" is the first
}

// UnsupportedError says that a variant was asked for which this build or this CPU does not have.
type UnsupportedError struct {
	Variant   string
	Supported []string
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("cpu variant %q: this machine runs %s; choose one of them, or none for the first",
		e.Variant, strings.Join(e.Supported, ", "))
}

// Variants are the instruction sets this machine runs, the fastest first and "portable" last.
func Variants() []string {
	var names []string
	for i := 0; ; i++ {
		var supported C.int
		v := C.atoll_variant_at(C.int(i), &supported)
		if v == nil {
			return names
		}
		if supported != 0 {
			names = append(names, C.GoString(v.name))
		}
	}
}

// Device is the machine's processors. It implements kernels.Device and kernels.Lender.
type Device struct {
	mu      sync.Mutex // one program at a time; also guards team
	team    *C.team    // nil once closed
	variant *C.atoll_variant
	threads int
}

var _ kernels.Lender = (*Device)(nil)

// New starts a device's threads. They sleep while no program runs.
func New(o Options) (*Device, error) {
	if o.Threads == 0 {
		o.Threads = min(usableProcessors("/"), MaxThreads)
	}
	if o.Threads < 1 || o.Threads > MaxThreads {
		return nil, fmt.Errorf("cpu: %d threads, want 1 to %d, or 0 for one for each processor", o.Threads, MaxThreads)
	}
	variant := findVariant(o.Variant)
	if variant == nil {
		return nil, &UnsupportedError{o.Variant, Variants()}
	}
	team := C.team_new(C.int(o.Threads))
	if team == nil {
		return nil, fmt.Errorf("cpu: the system refused %d threads: ask for fewer, or raise its limits on memory and threads", o.Threads)
	}
	return &Device{team: team, variant: variant, threads: o.Threads}, nil
}

func findVariant(name string) *C.atoll_variant {
	for i := 0; ; i++ {
		var supported C.int
		v := C.atoll_variant_at(C.int(i), &supported)
		if v == nil {
			return nil
		}
		if supported != 0 && (name == "" || name == C.GoString(v.name)) {
			return v
		}
	}
}

// Name is "cpu".
func (d *Device) Name() string { return "cpu" }

// Variant is the instruction set in use.
func (d *Device) Variant() string { return C.GoString(d.variant.name) }

// NativeBF16 tells whether the instruction set multiplies bf16 as it is, where others convert it to fp32.
func (d *Device) NativeBF16() bool {
	return d.variant.native_bf16 != 0
}

// Threads is how many threads compute, the caller's included.
func (d *Device) Threads() int { return d.threads }

// Describe is the processor's model, the variant and the threads.
func (d *Device) Describe() string {
	unit := "threads"
	if d.threads == 1 {
		unit = "thread"
	}
	return fmt.Sprintf("%s, %s, %d %s", processorModel(), d.Variant(), d.threads, unit)
}

// Close ends the threads. Programs of the device answer with an error after it.
func (d *Device) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	C.team_free(d.team)
	d.team = nil
	return nil
}

// Compiler is the C compiler that built the kernels.
func Compiler() string { return C.GoString(C.atoll_compiler()) }
