//go:build gpu

package cuda

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"atoll/kernels"
)

// launch is how a launcher starts a kernel.
type launch struct{ threads, shared int }

// launches are what the launchers do with a step of GPT-2, and with smaller and odd calls: by kernel, each way once. They come
// from a driver that only writes them down, in a process of its own.
func launches(t *testing.T) map[string][]launch {
	t.Helper()
	library := filepath.Join(t.TempDir(), "recorder.so")
	compiler := os.Getenv("CC")
	if compiler == "" {
		compiler = "cc"
	}
	c := exec.Command(compiler, "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror", "-shared", "-fPIC", "-o", library, "testdata/recorder.c")
	if output, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", c.Args, err, output)
	}
	file := filepath.Join(t.TempDir(), "launches.txt")
	again(t, "TestRecordLaunches", "ATOLL_LIBCUDA="+library, "RECORDER_FILE="+file)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]launch{}
	for line := range strings.Lines(string(text)) {
		var name string
		var l launch
		if _, err := fmt.Sscan(line, &name, &l.threads, &l.shared); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if !slices.Contains(found[name], l) {
			found[name] = append(found[name], l)
		}
	}
	for _, all := range found {
		slices.SortFunc(all, func(a, b launch) int { return (a.threads-b.threads)<<20 + a.shared - b.shared })
	}
	return found
}

func TestRecordLaunches(t *testing.T) {
	if os.Getenv("RECORDER_FILE") == "" {
		t.Skip("make check-cuda runs it on a driver that records")
	}
	d := open(t)
	all := []kernels.DType{kernels.F32, kernels.BF16, kernels.F16}
	recordCalls(t, d, all)
	t.Setenv("RECORDER_MAJOR", "8")
	recordCalls(t, open(t), all, kernels.Attention, kernels.AttentionBackward, kernels.AttentionCached)
	if err := d.SetTF32(true); err != nil {
		t.Fatal(err)
	}
	recordCalls(t, d, all[:1], kernels.Linear, kernels.LinearDX, kernels.LinearDW, kernels.HeadLoss)
}

// recordCalls starts the typical calls of the kernels, or of all that there are.
func recordCalls(t *testing.T, d *Device, precisions []kernels.DType, only ...kernels.Kernel) {
	t.Helper()
	for k := range kernels.Count {
		if !d.Has(k) || len(only) > 0 && !slices.Contains(only, k) {
			continue
		}
		for _, call := range typicalCalls(k) {
			for _, call.Precision = range precisions {
				if err := errors.Join(runUnaligned(d, call, 0), runUnaligned(d, call, 1)); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// typicalCalls are calls of a kernel as GPT-2 124M makes them when it trains, and when it decodes one token; and other sizes of
// heads.
func typicalCalls(k kernels.Kernel) []kernels.Call {
	var calls []kernels.Call
	for _, s := range []struct{ B, T, C, H int64 }{{32, 1024, 768, 12}, {1, 1, 768, 12}, {2, 64, 768, 24}, {2, 64, 960, 12}, {2, 64, 768, 6}, {3, 7, 15, 3}} {
		for _, io := range [][2]int64{{s.C, 3 * s.C}, {s.C, s.C}, {s.C, 4 * s.C}, {4 * s.C, s.C}} {
			for variant := range int64(2) {
				sizes := map[string]int64{"B": s.B, "T": s.T, "C": s.C, "H": s.H, "V": 50257, "P": 1024, "R": 331, "K": 5, "N": s.B * s.T,
					"I": io[0], "O": io[1], "salt": 1, "transposed": variant, "gelu": variant}
				switch k {
				case kernels.Add, kernels.Dropout, kernels.GELUBackward, kernels.AdamW, kernels.GradNorm:
					sizes["N"] = s.B * s.T * s.C
				}
				call := callOf(k, sizes)
				calls = append(calls, call)
				if k == kernels.AttentionBackward { // with dropout there is no gradient by warpgroups
					call.Scalars[0] = 0
					calls = append(calls, call)
				}
			}
		}
	}
	return slices.CompactFunc(calls, func(a, b kernels.Call) bool { return a == b })
}

func callOf(k kernels.Kernel, sizes map[string]int64) kernels.Call {
	call := kernels.Call{Kernel: k}
	for i, name := range kernels.SignatureOf(k).Dims {
		size, known := sizes[name]
		if !known { // a mode
			size = kernels.ByStep
		}
		call.Dims[i] = size
	}
	for i, name := range kernels.SignatureOf(k).Scalars {
		call.Scalars[i] = 0.1
		if name == "epsilon" {
			call.Scalars[i] = 1e-5
		}
	}
	return call
}

// runUnaligned runs a call with every argument so many elements into a buffer of its own.
func runUnaligned(d *Device, call kernels.Call, elements int64) error {
	var segments []kernels.Buffer
	defer func() {
		for _, b := range segments {
			b.Free()
		}
	}()
	for i := range kernels.SignatureOf(call.Kernel).Args {
		n, err := call.Elements(i)
		if err != nil {
			return err
		}
		size := int64(call.DTypeOf(i).Size())
		b, err := d.NewBuffer((n + elements) * size)
		if err != nil {
			return err
		}
		call.Args[i] = kernels.At(len(segments), elements*size)
		segments = append(segments, b)
	}
	p, err := d.NewProgram([]kernels.Call{call}, segments)
	if err != nil {
		return err
	}
	defer p.Free()
	return p.Run()
}
