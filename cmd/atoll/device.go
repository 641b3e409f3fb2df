package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"atoll/kernels"
	"atoll/kernels/cpu"
	"atoll/trainer/metric"
)

// deviceFlags choose where and in what precision a command computes.
type deviceFlags struct {
	device    string
	precision string
	threads   int
	variant   string
}

func (f *deviceFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.precision, "precision", "auto", "auto, fp32, bf16 or fp16 (auto: bf16 where the device computes in it natively, else fp32)")
	flags.StringVar(&f.device, "device", "auto", "auto, cpu, cuda or cuda:N")
	flags.IntVar(&f.threads, "threads", 0, "CPU threads; 0: one for each processor. Results do not depend on it")
	flags.StringVar(&f.variant, "cpu-variant", "", "force an instruction set (see atoll inspect devices); default: the fastest")
}

// open gives the device and the precision.
func (f *deviceFlags) open() (*cpu.Device, kernels.DType, error) {
	switch {
	case f.device == "auto", f.device == "cpu":
	case f.device == "cuda", strings.HasPrefix(f.device, "cuda:"):
		return nil, 0, fmt.Errorf("--device %s: this build of atoll has no CUDA: use --device cpu", f.device)
	default:
		return nil, 0, usage("--device %s: want auto, cpu, cuda or cuda:N", f.device)
	}
	if f.threads < 0 {
		return nil, 0, usage("--threads %d: want at least 1, or 0 for one for each processor", f.threads)
	}
	d, err := cpu.New(cpu.Options{Threads: f.threads, Variant: f.variant})
	if err != nil {
		return nil, 0, err
	}
	precision, err := f.dtype(d)
	if err != nil {
		return nil, 0, err
	}
	return d, precision, nil
}

func (f *deviceFlags) dtype(d *cpu.Device) (kernels.DType, error) {
	switch f.precision {
	case "fp32":
		return kernels.F32, nil
	case "bf16":
		return kernels.BF16, nil
	case "fp16":
		return kernels.F16, nil
	case "auto":
		if strings.HasSuffix(d.Variant(), "bf16") {
			return kernels.BF16, nil
		}
		return kernels.F32, nil
	}
	return 0, usage("--precision %s: want auto, fp32, bf16 or fp16", f.precision)
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
