package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"atoll/engine/lower"
	"atoll/kernels"
	"atoll/kernels/cpu"
	"atoll/kernels/cuda"
	"atoll/trainer/metric"
)

// deviceFlags choose where and in what precision a command computes.
type deviceFlags struct {
	device    string
	precision string
	threads   int
	variant   string
	answers   bool // of a command that runs a model and does not train it: it may compute in int8
}

func (f *deviceFlags) add(flags *pflag.FlagSet) {
	choice, last := "auto, fp32, tf32, bf16 or fp16", "fp16 trains with a scaled loss"
	if f.answers {
		choice, last = "auto, fp32, tf32, bf16, fp16 or int8", "int8: products of whole numbers, on the CPU, a little less exact than bf16"
	}
	flags.StringVar(&f.precision, "precision", "auto", choice+" (auto: bf16 where the device computes in it "+
		"natively, else fp32; tf32: fp32 whose products round to 10 bits of fraction, for tensor cores of a GPU; "+last+")")
	flags.StringVar(&f.device, "device", "auto", "auto, cpu, cuda or cuda:N")
	flags.IntVar(&f.threads, "threads", 0, "CPU threads; 0: one for each processor. Results do not depend on it")
	flags.StringVar(&f.variant, "cpu-variant", "", "force an instruction set (see atoll inspect devices); default: the fastest")
}

// processor is a device with what a command tells about it.
type processor interface {
	kernels.Device
	Threads() int                         // of the CPU
	Peak(precision kernels.DType) float64 // operations a second, measured or, of a GPU, as rated; 0 where that is not known
	Bandwidth() float64                   // of its memory in bytes a second, likewise
	Reading() float64                     // that of reading alone
	Native(precision kernels.DType) bool  // whether it computes in the precision without converting
}

// open gives the device and the precision. auto is the first GPU that has all kernels, else the CPU; where the build has CUDA,
// notes is told why no GPU is used.
func (f *deviceFlags) open(notes io.Writer) (processor, kernels.DType, error) {
	d, err := f.processor(notes)
	if err != nil {
		return nil, 0, err
	}
	precision, err := f.dtype(d)
	if gpu, ok := d.(onGPU); ok && err == nil && gpu.tf32 {
		err = gpu.SetTF32(true)
	}
	if err != nil {
		return nil, 0, errors.Join(err, d.Close())
	}
	return d, precision, nil
}

// openToAnswer is open for a command that does not train, and says how weights are packed: on the CPU they are.
func (f *deviceFlags) openToAnswer(notes io.Writer) (processor, kernels.DType, lower.Packing, error) {
	d, precision, err := f.open(notes)
	if _, isCPU := d.(onCPU); err != nil || !isCPU {
		return d, precision, lower.Unpacked, err
	}
	if f.precision == int8Name {
		return d, precision, lower.PackInt8, nil
	}
	return d, precision, lower.PackAlike, nil
}

// int8Name is a precision of products alone, with activations in fp32.
const int8Name = "int8"

// int8 is the precision of activations where products are of whole numbers.
func (f *deviceFlags) int8(d processor) (kernels.DType, error) {
	if !f.answers {
		return 0, usage("--precision int8 is for commands that run a model: generate, classify, evaluate, serve, bench generate and bench classify; want fp32, bf16 or fp16 here")
	}
	if _, isCPU := d.(onCPU); !isCPU {
		return 0, usage("--precision int8 is for the CPU, and the device is %s: want --device cpu, or bf16 here", d.Name())
	}
	return kernels.F32, nil
}

// tf32 is a precision of products alone: everything is stored in fp32.
const tf32 = "tf32"

// answerName is nameOf for a command that does not train.
func answerName(precision kernels.DType, packing lower.Packing, d processor) string {
	if packing == lower.PackInt8 {
		return int8Name
	}
	return nameOf(precision, d)
}

// nameOf is the precision that d computes in, as the user writes it.
func nameOf(precision kernels.DType, d processor) string {
	if gpu, ok := d.(onGPU); ok && gpu.tf32 && precision == kernels.F32 {
		return tf32
	}
	return precision.String()
}

func (f *deviceFlags) processor(notes io.Writer) (processor, error) {
	if f.threads < 0 {
		return nil, usage("--threads %d: want at least 1, or 0 for one for each processor", f.threads)
	}
	index, isGPU, err := f.gpuIndex()
	switch {
	case err != nil:
		return nil, err
	case isGPU:
		d, _, err := openGPU(index, notes)
		if err != nil {
			return nil, fmt.Errorf("--device %s: %w", f.device, err)
		}
		return f.onGPU(d), nil
	case f.device == "auto" && f.variant == "" && cuda.Built:
		d, err := wholeGPU(notes)
		if err == nil {
			return f.onGPU(d), nil
		}
		fmt.Fprintf(notes, "atoll: computing on the CPU: %v\n", err)
	}
	d, err := cpu.New(cpu.Options{Threads: f.threads, Variant: f.variant})
	if err != nil {
		return nil, err
	}
	return onCPU{d}, nil
}

// gpuIndex is the number of the GPU that the flag names, if it names one.
func (f *deviceFlags) gpuIndex() (index int, isGPU bool, err error) {
	number, numbered := strings.CutPrefix(f.device, "cuda:")
	switch {
	case f.device == "auto", f.device == "cpu":
		return 0, false, nil
	case f.device == "cuda":
	case numbered:
		if index, err = strconv.Atoi(number); err != nil || index < 0 {
			return 0, false, usage("--device %s: want a number from 0 after cuda:", f.device)
		}
	default:
		return 0, false, usage("--device %s: want auto, cpu, cuda or cuda:N", f.device)
	}
	if f.variant != "" {
		return 0, false, usage("--cpu-variant %s with --device %s: want --device cpu", f.variant, f.device)
	}
	return index, true, nil
}

type onCPU struct{ *cpu.Device }

func (d onCPU) Native(precision kernels.DType) bool {
	return precision == kernels.F32 || precision == kernels.BF16 && d.NativeBF16()
}

// onGPU has the peaks that its maker rates it at.
type onGPU struct {
	*cuda.Device
	threads int
	rates   ratedGPU
	tf32    bool // products of fp32 are on tensor cores
}

func (f *deviceFlags) onGPU(d *cuda.Device) onGPU {
	g := onGPU{d, f.threads, ratedAs(d.Info().Name), f.precision == tf32}
	if g.threads == 0 {
		g.threads = runtime.GOMAXPROCS(0)
	}
	return g
}

func (d onGPU) Threads() int            { return d.threads }
func (d onGPU) Bandwidth() float64      { return d.rates.bytes }
func (d onGPU) Reading() float64        { return d.rates.bytes }
func (onGPU) Native(kernels.DType) bool { return true }

func (d onGPU) Peak(precision kernels.DType) float64 {
	if d.tf32 && precision == kernels.F32 {
		return d.rates.tf32
	}
	return d.rates.peak(precision)
}

func (f *deviceFlags) dtype(d processor) (kernels.DType, error) {
	switch f.precision {
	case "fp32":
		return kernels.F32, nil
	case tf32:
		if _, isCPU := d.(onCPU); isCPU {
			return 0, usage("--precision tf32 is for the tensor cores of a GPU, and the device is the CPU: want fp32, bf16 or fp16 here")
		}
		return kernels.F32, nil
	case "bf16":
		return kernels.BF16, nil
	case "fp16":
		return kernels.F16, nil
	case int8Name:
		return f.int8(d)
	case "auto":
		if d.Native(kernels.BF16) {
			return kernels.BF16, nil
		}
		return kernels.F32, nil
	}
	if f.answers {
		return 0, usage("--precision %s: want auto, fp32, tf32, bf16, fp16 or int8", f.precision)
	}
	return 0, usage("--precision %s: want auto, fp32, tf32, bf16 or fp16", f.precision)
}

// progressLine shows progress on w: redrawn where it is a terminal, a line now and then elsewhere.
func progressLine(w io.Writer) *metric.ProgressLine {
	if !isTerminal(w) {
		return metric.NewProgressLine(w, nil)
	}
	file := w.(*os.File)
	return metric.NewProgressLine(w, func() int {
		width, _, err := term.GetSize(int(file.Fd()))
		if err != nil {
			return 0
		}
		return width
	})
}

// isTerminal tells whether one of the streams is a terminal.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
