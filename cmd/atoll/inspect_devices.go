package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"atoll/kernels"
	"atoll/kernels/cpu"
)

// deviceInfo is one row of atoll inspect devices.
type deviceInfo struct {
	Device      string             `json:"device"`
	Variant     string             `json:"variant,omitempty"`
	Default     bool               `json:"default"`
	Description string             `json:"description,omitempty"`
	Peaks       map[string]float64 `json:"peak_flops,omitempty"`     // by precision, operations a second
	Bandwidth   float64            `json:"peak_bandwidth,omitempty"` // bytes a second
	Unavailable string             `json:"unavailable,omitempty"`    // why it is not used, and what to do
}

func newInspectDevices(s streams) *cobra.Command {
	device, asJSON := deviceFlags{}, false
	c := &cobra.Command{
		Use:   "devices",
		Short: "The processors that atoll can use here, what they reach, and why others are not used",
		Long: "Measures every instruction set of the CPU that this machine runs: operations a second on registers alone, in each precision,\n" +
			"and the memory's bandwidth. Takes about a second.",
		Example: "  atoll inspect devices --threads 1",
		Args:    exactly(0, "flags only"),
		RunE: func(*cobra.Command, []string) error {
			found, err := findDevices(device.threads)
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

func findDevices(threads int) ([]deviceInfo, error) {
	if threads < 0 {
		return nil, usage("--threads %d: want at least 1, or 0 for one for each processor", threads)
	}
	var found []deviceInfo
	for n, variant := range cpu.Variants() {
		d, err := cpu.New(cpu.Options{Threads: threads, Variant: variant})
		if err != nil {
			return nil, err
		}
		info := deviceInfo{Device: d.Name(), Variant: variant, Default: n == 0, Description: d.Describe(), Peaks: map[string]float64{}}
		for _, precision := range []kernels.DType{kernels.F32, kernels.BF16, kernels.F16} {
			m := measureMachine(d, precision)
			info.Peaks[m.Precision], info.Bandwidth = m.Peak, max(info.Bandwidth, m.Bandwidth)
		}
		found = append(found, info)
		if err := d.Close(); err != nil {
			return nil, err
		}
	}
	return append(found, deviceInfo{Device: "cuda", Unavailable: fmt.Sprintf("this build of atoll for %s/%s has no CUDA; it computes on the CPU",
		runtime.GOOS, runtime.GOARCH)}), nil
}

func printDevices(s streams, found []deviceInfo) {
	for _, d := range found {
		if d.Unavailable != "" {
			fmt.Fprintf(s.out, "%-5s not used: %s\n", d.Device, d.Unavailable)
			continue
		}
		note := ""
		if d.Default {
			note = " (used unless --cpu-variant says otherwise)"
		}
		fmt.Fprintf(s.out, "%-5s %s%s\n", d.Device, d.Description, note)
		fmt.Fprintf(s.out, "      fp32 %.1f, bf16 %.1f, fp16 %.1f GFLOP/s; memory %.1f GB/s\n", d.Peaks["fp32"]/1e9, d.Peaks["bf16"]/1e9,
			d.Peaks["fp16"]/1e9, d.Bandwidth/1e9)
	}
}
