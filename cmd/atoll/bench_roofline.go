package main

import (
	"fmt"
	"strings"
	"time"

	"atoll/trainer/metric"
)

// roofline is what the page of atoll bench kernels shows.
func (r kernelsBench) roofline() metric.Roofline {
	limits := r.Machine.Precision + ", the best of three measurements"
	if r.Machine.Rated {
		limits = r.Machine.Precision + ", as its maker rates it"
	}
	page := metric.Roofline{
		Title:    "The kernels of a training step",
		Subtitle: fmt.Sprintf("%v; %s, %s", r.workload, r.Machine.Device, r.Machine.Precision),
		Peak:     r.Machine.Peak, Bandwidth: r.Machine.Bandwidth, Limits: limits,
		Settings: []metric.Setting{{Name: "model", Value: r.Model}, {Name: "parameters", Value: fmt.Sprint(r.Parameters)}, {Name: "batch", Value: fmt.Sprint(r.Batch)},
			{Name: "sequence", Value: fmt.Sprint(r.Sequence)}, {Name: "precision", Value: r.Machine.Precision}, {Name: "device", Value: r.Machine.Device},
			{Name: "runs of each kernel", Value: fmt.Sprint(r.Steps)}, {Name: "atoll", Value: version}, {Name: "measured", Value: time.Now().Format("2006-01-02 15:04")}},
	}
	for _, k := range r.Kernels {
		if k.Lacking {
			page.Warnings = append(page.Warnings, "The device does not have "+k.Kernel+": it is not shown.")
			continue
		}
		page.Kernels = append(page.Kernels, metric.MeasuredKernel{Name: k.Kernel, Shape: shape(k.Dims), Calls: k.Calls, Seconds: k.Microseconds / 1e6,
			OperationRate: k.FLOPS, BytesPerSecond: k.BytesPerSecond})
	}
	return page
}

// shape leaves the switches that are off out of a list of dims, and the value out of those that are on; and what a picture has no room for, the format of a
// weight and the distance of a head's logits.
func shape(dims string) string {
	var shown []string
	for dim := range strings.FieldsSeq(dims) {
		name, value, _ := strings.Cut(dim, "=")
		switch {
		case name == "format" || name == "LD":
		case name != "transposed" && name != "gelu" && name != "stream":
			shown = append(shown, dim)
		case value != "0":
			shown = append(shown, name)
		}
	}
	return strings.Join(shown, " ")
}
