package main

import (
	"strings"

	"atoll/kernels"
)

// ratedGPU is a GPU as its maker rates it: dense products on tensor cores, fp32 on the other ones, and the memory.
type ratedGPU struct {
	name         string  // as --floor takes it
	model        string  // the driver's name of it begins so
	half, single float64 // operations a second in bf16 and fp16, and in fp32
	tf32         float64 // operations a second on tensor cores in TF32
	bytes        float64 // of memory a second
}

// ratedGPUs are from NVIDIA's data sheets of the A100 80GB SXM, the H100 SXM and the H200 SXM.
var ratedGPUs = []ratedGPU{
	{name: "a100", model: "NVIDIA A100-SXM4-80GB", half: 312e12, single: 19.5e12, tf32: 156e12, bytes: 2.039e12},
	{name: "h100", model: "NVIDIA H100 80GB HBM3", half: 989e12, single: 67e12, tf32: 494.5e12, bytes: 3.35e12},
	{name: "h200", model: "NVIDIA H200", half: 989e12, single: 67e12, tf32: 494.5e12, bytes: 4.8e12},
}

func rated(name string) (ratedGPU, error) {
	var names []string
	for _, g := range ratedGPUs {
		if g.name == name {
			return g, nil
		}
		names = append(names, g.name)
	}
	return ratedGPU{}, usage("--floor %s: want one or more of %s", name, strings.Join(names, ", "))
}

// ratedAs is the GPU that the driver calls so; all rates are 0 where it is none of those above.
func ratedAs(model string) ratedGPU {
	for _, g := range ratedGPUs {
		if strings.HasPrefix(model, g.model) {
			return g
		}
	}
	return ratedGPU{}
}

// peak is the operations a second in a precision.
func (g ratedGPU) peak(precision kernels.DType) float64 {
	if precision == kernels.F32 {
		return g.single
	}
	return g.half
}

// floor is the least time of a call in seconds: its operations at the peak, or its bytes at the memory's rate where that is
// longer.
func (g ratedGPU) floor(c *kernels.Call) (seconds float64, memory bool) {
	computing, moving := c.Operations()/g.peak(c.Precision), float64(c.Traffic())/g.bytes
	return max(computing, moving), moving > computing
}
