package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"atoll/kernels"
	"atoll/kernels/cpu"
	"atoll/kernels/cuda"
	"atoll/kernels/selftest"
)

// deviceInfo is one row of atoll inspect devices.
type deviceInfo struct {
	Device      string             `json:"device"`
	Variant     string             `json:"variant,omitempty"`
	Default     bool               `json:"default"`
	Description string             `json:"description,omitempty"`
	Peaks       map[string]float64 `json:"peak_flops,omitempty"`     // by precision, operations a second
	Bandwidth   float64            `json:"peak_bandwidth,omitempty"` // bytes a second
	SelfTest    string             `json:"self_test,omitempty"`      // what a GPU's kernels were found to be
	Products    string             `json:"products,omitempty"`       // what makes a GPU's matrix products
	Unavailable string             `json:"unavailable,omitempty"`    // why it is not used, and what to do
}

func newInspectDevices(s streams) *cobra.Command {
	device, asJSON := deviceFlags{}, false
	c := &cobra.Command{
		Use:   "devices",
		Short: "The processors that atoll can use here, what they reach, and why others are not used",
		Long: "Measures every instruction set of the CPU that this machine runs: operations a second on registers alone, in each precision,\n" +
			"and the memory's bandwidth. Starts every GPU, if this build has CUDA. Takes about a second.",
		Example: "  atoll inspect devices --threads 1",
		Args:    exactly(0, "flags only"),
		RunE: func(*cobra.Command, []string) error {
			found, err := findDevices(device.threads, s.err)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(s.out, found)
			}
			printDevices(s, found)
			return nil
		},
	}
	c.Flags().IntVar(&device.threads, "threads", 0, "CPU threads; 0: one for each processor")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// findDevices are the GPUs, or why there are none, after the CPU's instruction sets.
func findDevices(threads int, notes io.Writer) ([]deviceInfo, error) {
	if threads < 0 {
		return nil, usage("--threads %d: want at least 1, or 0 for one for each processor", threads)
	}
	var found []deviceInfo
	for _, variant := range cpu.Variants() {
		info, err := inspectCPU(threads, variant)
		if err != nil {
			return nil, err
		}
		found = append(found, info)
	}
	gpus := findGPUs(notes)
	if gpus[0].Unavailable == "" {
		gpus[0].Default = true
	} else {
		found[0].Default = true
	}
	return append(found, gpus...), nil
}

func inspectCPU(threads int, variant string) (deviceInfo, error) {
	d, err := cpu.New(cpu.Options{Threads: threads, Variant: variant})
	if err != nil {
		return deviceInfo{}, err
	}
	m := measureMachine(onCPU{d}, kernels.F32)
	info := deviceInfo{Device: d.Name(), Variant: variant, Description: d.Describe(), Bandwidth: m.Bandwidth,
		Peaks: map[string]float64{"fp32": m.Peaks.FP32, "bf16": m.Peaks.BF16, "fp16": m.Peaks.FP32, int8Name: m.Peaks.Int8}} // fp16 is computed in fp32
	return info, d.Close()
}

// findGPUs opens each GPU, to see that it works; without one it says why.
func findGPUs(notes io.Writer) []deviceInfo {
	gpus, err := cuda.Found()
	if err != nil {
		return []deviceInfo{{Device: "cuda", Unavailable: err.Error()}}
	}
	var found []deviceInfo
	for _, gpu := range gpus {
		info := deviceInfo{Device: fmt.Sprintf("cuda:%d", gpu.Index), Description: gpu.String()}
		d, verdict, err := openGPU(gpu.Index, notes)
		if err == nil {
			info.SelfTest = describeVerdict(verdict)
			if lacks := lacking(d); lacks != "" {
				info.Unavailable = "it lacks " + lacks + ", which --device auto wants all of"
			}
			info.Products, err = d.Products()
			err = errors.Join(err, d.Close())
		}
		if err != nil {
			info.Unavailable = err.Error()
		}
		found = append(found, info)
	}
	return found
}

// describeVerdict is a line on a self-test: which kernels are right, which are not, when that was found, how much was looked at and how
// long it took.
func describeVerdict(v selftest.Verdict) string {
	right, wrong := 0, ""
	for k := range kernels.Count {
		problem, tested := v.Kernels[k.String()]
		switch {
		case tested && problem == "":
			right++
		case tested:
			wrong += fmt.Sprintf(", %v is wrong (%s)", k, problem)
		}
	}
	cases := fmt.Sprintf("all %d cases", v.Cases)
	if v.Left > 0 {
		cases = fmt.Sprintf("%d of %d cases", v.Cases, v.Cases+v.Left)
	}
	long := ""
	if v.First > selftest.Second.Seconds() {
		long = fmt.Sprintf(", of which the smallest of each kernel alone took %.2f s, longer than the second that a test may take", v.First)
	}
	return fmt.Sprintf("%d kernels agree with the plainest ones%s; last tested %s with %s, %s in %.2f s%s", right, wrong,
		v.Time.Local().Format("2006-01-02 15:04:05"), v.Driver, cases, v.Seconds, long)
}

func printDevices(s streams, found []deviceInfo) {
	for _, d := range found {
		note := ""
		if d.Default {
			note = " (used unless --device or --cpu-variant says otherwise)"
		}
		switch {
		case d.Unavailable != "":
			fmt.Fprintf(s.out, "%-6s not used: %s\n", d.Device, d.Unavailable)
			if d.Description != "" {
				fmt.Fprintf(s.out, "       %s\n", d.Description)
			}
		case d.Peaks == nil:
			fmt.Fprintf(s.out, "%-6s %s%s\n", d.Device, d.Description, note)
			fmt.Fprintf(s.out, "       products by %s\n", d.Products)
		default:
			fmt.Fprintf(s.out, "%-6s %s%s\n", d.Device, d.Description, note)
			fmt.Fprintf(s.out, "       fp32 %.1f, bf16 %.1f, fp16 %.1f, int8 %.1f GFLOP/s; memory %.1f GB/s\n", d.Peaks["fp32"]/1e9, d.Peaks["bf16"]/1e9,
				d.Peaks["fp16"]/1e9, d.Peaks[int8Name]/1e9, d.Bandwidth/1e9)
		}
		if d.SelfTest != "" {
			fmt.Fprintf(s.out, "       self-test: %s\n", d.SelfTest)
		}
	}
}
