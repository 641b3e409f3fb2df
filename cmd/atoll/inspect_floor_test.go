package main

import (
	"math"
	"strings"
	"testing"

	"atoll/model"
	"atoll/trainer/metric"
)

// The operations of all calls are those that a step is known to have, counted another way in trainer/metric: it takes three
// times the forward pass, where attention's gradient computes the scores once more.
func TestInspectProgramFloor(t *testing.T) {
	const batch, sequence = 32, 1024
	var info programInfo
	parseJSON(t, mustRun(t, "", "inspect", "program", "--model", "gpt2", "--batch", "32", "--seq", "1024", "--train", "--precision", "bf16", "--device",
		"cpu", "--floor", "h100,a100", "--json"), &info)
	c, err := model.Named("gpt2")
	if err != nil {
		t.Fatal(err)
	}
	operations, calls, sums := 0.0, 0, [2]float64{}
	for _, k := range info.Floor.Kernels {
		operations += float64(k.Calls) * k.Operations
		calls += k.Calls
		for n, rates := range [2][2]float64{{989e12, 3.35e12}, {312e12, 2.039e12}} {
			computing, moving := k.Operations/rates[0], float64(k.Bytes)/rates[1]
			if got := k.GPUs[n]; math.Abs(got.Microseconds-1e6*max(computing, moving)) > 1e-6 || (got.Limit == "memory") != (moving > computing) {
				t.Errorf("%s %s: %+v, want the larger of %g s of products and %g s of memory", k.Kernel, k.Dims, got, computing, moving)
			}
			sums[n] += float64(k.Calls) * k.GPUs[n].Microseconds
		}
	}
	again := float64(c.Layers*batch*sequence) * float64(sequence*c.Width)
	want := float64(batch*sequence)*metric.TrainingFLOPs(c.Layers, c.Width, c.Vocab, sequence) + again
	if math.Abs(operations/want-1) > 1e-9 || calls != len(info.Instructions) {
		t.Errorf("%g operations in %d calls, want %g in %d", operations, calls, want, len(info.Instructions))
	}
	for n, g := range info.Floor.GPUs {
		if math.Abs(1e3*g.Milliseconds/sums[n]-1) > 1e-9 || math.Abs(g.TokensPerSecond*1e-6*sums[n]/(batch*sequence)-1) > 1e-9 {
			t.Errorf("%+v, want the sum of %v µs", g, sums[n])
		}
	}
}

func TestInspectProgramFloorText(t *testing.T) {
	text := mustRun(t, "", "inspect", "program", "--model", "mini", "--floor", "h200")
	if !strings.Contains(text, "h200 as rated") || !strings.Contains(text, "attention") || strings.Contains(text, "temporaries") {
		t.Errorf("want the rates and a line for attention, without the memory plan, in\n%s", text)
	}
	if code, _, errs := command(t, "", "inspect", "program", "--floor", "h100,x"); code != exitUsage || !strings.Contains(errs, "a100, h100, h200") {
		t.Errorf("exit %d, %q, want 2 and the names", code, errs)
	}
}
