package main

import (
	"fmt"
	"io"
	"strings"

	"atoll/engine/ir"
)

// floorInfo is what atoll inspect program prints with --floor.
type floorInfo struct {
	Kernels []kernelFloor `json:"kernels"`
	GPUs    []stepFloor   `json:"gpus"`
}

// kernelFloor is the least that calls of one kind can take.
type kernelFloor struct {
	Kernel     string    `json:"kernel"`
	Dims       string    `json:"dims"`
	Calls      int       `json:"calls"`
	Bytes      int64     `json:"bytes"`      // of one call, each argument once
	Operations float64   `json:"operations"` // of one call's matrix products
	GPUs       []atFloor `json:"gpus"`       // in the order of the steps
}

type atFloor struct {
	Microseconds float64 `json:"microseconds"` // of one call
	Limit        string  `json:"limit"`        // memory or products
}

// stepFloor is the sum of all calls on one GPU.
type stepFloor struct {
	GPU             string  `json:"gpu"`
	Peak            float64 `json:"rated_flops"` // in the program's precision
	Bandwidth       float64 `json:"rated_bandwidth"`
	Milliseconds    float64 `json:"milliseconds"`
	TokensPerSecond float64 `json:"tokens_per_second"`
}

// floors holds a program against the rates of GPUs, which need not be here.
func floors(list ir.Program, info programInfo, gpus []ratedGPU) *floorInfo {
	f := &floorInfo{}
	for _, c := range distinctCalls(list) {
		k := kernelFloor{Kernel: c.Kernel.String(), Dims: describeDims(&c.Call), Calls: len(c.at), Bytes: c.Traffic(), Operations: c.Operations()}
		for _, g := range gpus {
			seconds, memory := g.floor(&c.Call)
			limit := "products"
			if memory {
				limit = "memory"
			}
			k.GPUs = append(k.GPUs, atFloor{1e6 * seconds, limit})
		}
		f.Kernels = append(f.Kernels, k)
	}
	for n, g := range gpus {
		s := stepFloor{GPU: g.name, Peak: g.peak(info.precision), Bandwidth: g.bytes}
		for _, k := range f.Kernels {
			s.Milliseconds += 1e-3 * float64(k.Calls) * k.GPUs[n].Microseconds
		}
		s.TokensPerSecond = 1e3 * float64(info.Batch*info.Sequence) / s.Milliseconds
		f.GPUs = append(f.GPUs, s)
	}
	return f
}

func (f *floorInfo) print(w io.Writer) error {
	for _, g := range f.GPUs {
		fmt.Fprintf(w, "%s as rated: %.1f TFLOP/s, %.3f TB/s. At least %.2f ms, at most %.0f tokens/s\n", g.GPU, g.Peak/1e12, g.Bandwidth/1e12,
			g.Milliseconds, g.TokensPerSecond)
	}
	heads := []string{"kernel and dims", "calls", "MB", "GFLOP"}
	for _, g := range f.GPUs {
		heads = append(heads, g.GPU+" µs", "limit")
	}
	rows := table{heads}
	for _, k := range f.Kernels {
		cells := []string{fmt.Sprintf("%-19s %s", k.Kernel, k.Dims), fmt.Sprint(k.Calls), fmt.Sprintf("%.1f", float64(k.Bytes)/1e6), fmt.Sprintf("%.1f", k.Operations/1e9)}
		for _, g := range k.GPUs {
			cells = append(cells, fmt.Sprintf("%.1f", g.Microseconds), g.Limit)
		}
		rows.row(cells...)
	}
	return rows.write(w)
}

// ratedAll are the GPUs that --floor names.
func ratedAll(names string) ([]ratedGPU, error) {
	var gpus []ratedGPU
	for name := range strings.SplitSeq(names, ",") {
		g, err := rated(name)
		if err != nil {
			return nil, err
		}
		gpus = append(gpus, g)
	}
	return gpus, nil
}
