package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"atoll/engine"
	"atoll/kernels"
	"atoll/model"
	"atoll/trainer"
	"atoll/trainer/metric"
)

// kernelsBench is what atoll bench kernels prints.
type kernelsBench struct {
	workload
	Kernels []kernelBench `json:"kernels"`
	Machine machineInfo   `json:"machine"`
}

// kernelBench is one kernel at one shape.
type kernelBench struct {
	Kernel         string  `json:"kernel"`
	Dims           string  `json:"dims"`
	Calls          int     `json:"calls"` // in a training step
	Microseconds   float64 `json:"microseconds"`
	FLOPS          float64 `json:"flops"`            // operations a second; 0 for a kernel that only moves memory
	BytesPerSecond float64 `json:"bytes_per_second"` // each argument once
	PeakShare      float64 `json:"peak_share"`
	BandwidthShare float64 `json:"bandwidth_share"`
	StepShare      float64 `json:"step_share"`        // of the time of all calls of a step
	Lacking        bool    `json:"lacking,omitempty"` // the device does not have the kernel
}

func (r kernelsBench) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v\n%v\n%-19s %5s %10s %8s %6s %8s %6s %6s  dims", r.workload, r.Machine, "kernel", "calls", "µs", "GFLOP/s", "peak", "GB/s", "memory", "step")
	for _, k := range r.Kernels {
		if k.Lacking {
			fmt.Fprintf(&b, "\n%-19s %5d %-60s  %s", k.Kernel, k.Calls, "not measured: the device does not have it", k.Dims)
			continue
		}
		fmt.Fprintf(&b, "\n%-19s %5d %10.1f %8.1f %5.0f%% %8.1f %5.0f%% %5.1f%%  %s", k.Kernel, k.Calls, k.Microseconds, k.FLOPS/1e9, 100*k.PeakShare,
			k.BytesPerSecond/1e9, 100*k.BandwidthShare, 100*k.StepShare, k.Dims)
	}
	return b.String()
}

func newBenchKernels(s streams) *cobra.Command {
	f := &benchFlags{shapeFlags: shapeFlags{batch: 4, sequence: 64}, steps: 5}
	c := benchCommand(s, &cobra.Command{
		Use:   "kernels",
		Short: "Every kernel of a training step for itself, at the shapes of the model",
		Long: "Compiles the training step and runs each of its calls alone on random numbers. GFLOP/s are held against the peak on registers,\n" +
			"GB/s against the memory's bandwidth: arguments that stay in cache can pass it. On a GPU a short call is launched many times in\n" +
			"a row, and kernels that the GPU lacks are named and left out.",
		Example: "  atoll bench kernels --model gpt2 --batch 4 --seq 64 --precision bf16\n  atoll bench kernels --report kernels.html",
	}, f, benchKernels)
	c.Flags().StringVar(&f.report, "report", "", "write a page with a roofline picture to this file, too")
	return c
}

func benchKernels(ctx context.Context, f *benchFlags) (fmt.Stringer, error) {
	if folder := filepath.Dir(f.report); f.report != "" && !fileExists(folder) {
		return nil, fmt.Errorf("--report %s: there is no folder %s: make it first", f.report, folder)
	}
	c, device, precision, err := f.open()
	if err != nil {
		return nil, err
	}
	defer device.Close()
	c.Labels, c.Problem = nil, model.LanguageModel
	list, _, err := compileList(c, "train", f.batch, f.sequence, device, engine.Options{Precision: precision, Logits: engine.LogitsOf(device)})
	if err != nil {
		return nil, err
	}
	r := kernelsBench{workload: f.workload(c), Machine: measureMachine(device, precision)}
	total := 0.0
	for _, c := range distinctCalls(list) {
		k, err := benchKernel(ctx, device, c.Call, f.steps)
		if err != nil {
			return nil, err
		}
		k.Calls, k.PeakShare, k.BandwidthShare = len(c.at), share(k.FLOPS, r.Machine.Peak), share(k.BytesPerSecond, r.Machine.Bandwidth)
		r.Kernels = append(r.Kernels, k)
		total += float64(k.Calls) * k.Microseconds
	}
	for n := range r.Kernels {
		r.Kernels[n].StepShare = share(float64(r.Kernels[n].Calls)*r.Kernels[n].Microseconds, total)
	}
	if f.report != "" {
		return r, trainer.WritePage(f.report, func(w io.Writer) error { return metric.WriteRoofline(w, r.roofline()) })
	}
	return r, nil
}

// benchKernel times one call over memory of its own, one buffer an argument.
func benchKernel(ctx context.Context, d processor, call kernels.Call, steps int) (kernelBench, error) {
	k := kernelBench{Kernel: call.Kernel.String(), Dims: describeDims(&call)}
	if gpu, ok := d.(onGPU); ok && !gpu.Has(call.Kernel) {
		k.Lacking = true
		return k, nil
	}
	operations, bytes := call.Operations(), call.Traffic()
	var segments []kernels.Buffer
	defer func() {
		for _, b := range segments {
			b.Free()
		}
	}()
	for at := range kernels.SignatureOf(call.Kernel).Args {
		if call.Args[at] == kernels.None {
			continue
		}
		b, err := randomArgument(d, &call, at)
		if err != nil {
			return k, err
		}
		call.Args[at] = kernels.At(len(segments), 0)
		segments = append(segments, b)
	}
	seconds, err := timeCall(ctx, d, call, segments, steps)
	k.Microseconds, k.FLOPS, k.BytesPerSecond = 1e6*seconds, operations/seconds, float64(bytes)/seconds
	return k, err
}

// On a GPU a run takes some microseconds whatever is in it: a call that takes less than longRun is measured repeated times in one
// program.
const (
	longRun  = 2e-3 // seconds
	repeated = 100
)

// timeCall is the median time of a call in seconds.
func timeCall(ctx context.Context, d processor, call kernels.Call, segments []kernels.Buffer, steps int) (float64, error) {
	seconds, err := timeCalls(ctx, d, []kernels.Call{call}, segments, steps)
	if _, isGPU := d.(onGPU); err != nil || !isGPU || seconds >= longRun {
		return seconds, err
	}
	seconds, err = timeCalls(ctx, d, slices.Repeat([]kernels.Call{call}, repeated), segments, steps)
	return seconds / repeated, err
}

func timeCalls(ctx context.Context, d processor, calls []kernels.Call, segments []kernels.Buffer, steps int) (float64, error) {
	p, err := d.NewProgram(calls, segments)
	if err != nil {
		return 0, err
	}
	defer p.Free()
	seconds, _, err := median(ctx, steps, p.Run)
	return seconds, err
}

// randomArgument is a buffer with numbers from -1 to 1, or with integers that are in bounds.
func randomArgument(d kernels.Device, call *kernels.Call, at int) (kernels.Buffer, error) {
	n, err := call.Elements(at)
	if err != nil {
		return nil, err
	}
	dtype := call.DTypeOf(at)
	b, err := d.NewBuffer(max(n*int64(dtype.Size()), kernels.Alignment))
	if err != nil {
		return nil, err
	}
	piece, err := randomPiece(call, at, int(min(n, 1<<16)))
	if err != nil {
		return nil, err
	}
	for from, end := int64(0), n*int64(dtype.Size()); from < end; from += int64(len(piece)) {
		if err := b.Write(from, piece[:min(int64(len(piece)), end-from)]); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// wordsPiece is n words of bf16: zeros would be multiplied faster.
func wordsPiece(n int, random *rand.Rand) ([]byte, error) {
	values := make([]float32, 2*n)
	for i := range values {
		values[i] = 2*random.Float32() - 1
	}
	piece := make([]byte, 4*n)
	return piece, kernels.Narrow(piece, values, kernels.BF16)
}

// randomPiece is the first n elements of an argument; the others repeat them.
func randomPiece(call *kernels.Call, at, n int) ([]byte, error) {
	name, dtype := kernels.SignatureOf(call.Kernel).Args[at].Name, call.DTypeOf(at)
	random := rand.New(rand.NewPCG(1, uint64(at)))
	if kernels.SignatureOf(call.Kernel).Args[at].Class == kernels.Words {
		return wordsPiece(n, random)
	}
	if dtype == kernels.I32 {
		ids := make([]int32, n)
		for i := range ids {
			if name == "tokens" || name == "targets" {
				ids[i] = random.Int32N(int32(call.Dim("V")))
			}
		}
		return kernels.BytesOf(ids), nil
	}
	values := make([]float32, n)
	for i := range values {
		values[i] = 2*random.Float32() - 1
		if name == "v" || name == "rstd" || name == "step" { // a variance, a scale, and corrections that are divided by
			values[i] = max(values[i]*values[i], 1e-3)
		}
	}
	piece := make([]byte, n*dtype.Size())
	return piece, kernels.Narrow(piece, values, dtype)
}
