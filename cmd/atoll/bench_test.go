package main

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"atoll/engine/ir"
	"atoll/kernels"
	"atoll/model"
)

// Each measurement must be a positive number under the names that scripts read, and shares must be shares.
func TestBench(t *testing.T) {
	dir := writeModel(t, tinyConfig(model.LanguageModel))
	for name, fields := range map[string][]string{
		"train":    {"tokens_per_second", "milliseconds", "peak_share", "resident_bytes", "loss"},
		"classify": {"documents_per_second", "milliseconds", "peak_share", "resident_bytes"},
		"generate": {"tokens_per_second", "milliseconds", "bandwidth_share", "prompt_tokens_per_second", "prompt_milliseconds", "prompt_peak_share"},
	} {
		args := []string{"bench", name, "--model", dir, "--batch", "2", "--seq", "8", "--steps", "2", "--threads", "1", "--precision", "fp32"}
		var result map[string]any
		parseJSON(t, mustRun(t, "", append(args, "--json")...), &result)
		for _, field := range fields {
			value, _ := result[field].(float64)
			if value <= 0 || strings.HasSuffix(field, "share") && value > 1 {
				t.Errorf("%s: %s is %v", name, field, result[field])
			}
		}
		if machine := result["machine"].(map[string]any); machine["threads"] != 1.0 || machine["precision"] != "fp32" {
			t.Errorf("%s: machine %v, want 1 thread and fp32", name, machine)
		}
	}
}

func TestBenchReplacesSizes(t *testing.T) {
	var result struct{ Parameters, Batch, Seq int }
	parseJSON(t, mustRun(t, "", "bench", "train", "--model", "mini", "--layers", "1", "--width", "16", "--heads", "2", "--vocab", "300", "--seq", "4",
		"--batch", "3", "--steps", "1", "--json"), &result)
	c := tinyConfig(model.LanguageModel)
	named, err := model.Named("mini")
	if err != nil {
		t.Fatal(err)
	}
	c.Width, c.Inner, c.Vocab, c.Positions = 16, 64, 300, named.Positions
	if result.Parameters != c.ParamCount() || result.Batch != 3 || result.Seq != 4 {
		t.Errorf("%+v, want %d parameters, batch 3, sequence 4", result, c.ParamCount())
	}
}

// Every kernel of a step is measured once, and all calls are counted.
func TestBenchKernels(t *testing.T) {
	dir := writeModel(t, tinyConfig(model.LanguageModel))
	shape := []string{"--model", dir, "--batch", "2", "--seq", "8", "--precision", "fp32", "--json"}
	var program programInfo
	parseJSON(t, mustRun(t, "", append([]string{"inspect", "program", "--train"}, shape...)...), &program)
	var result kernelsBench
	report := filepath.Join(t.TempDir(), "kernels.html")
	parseJSON(t, mustRun(t, "", append([]string{"bench", "kernels", "--steps", "1", "--report", report}, shape...)...), &result)
	if page, err := os.ReadFile(report); err != nil || strings.Count(string(page), "<circle") < 5 || !strings.Contains(string(page), "layernorm.backward") {
		t.Errorf("%s has no picture of the kernels: %v", report, err)
	}
	if code, _, errs := command(t, "", "bench", "kernels", "--report", filepath.Join(report, "x", "y.html")); code != exitFailed || !strings.Contains(errs, "make it first") {
		t.Errorf("exit %d, %q, want %d and what to do", code, errs, exitFailed)
	}
	calls := 0
	for _, k := range result.Kernels {
		calls += k.Calls
		if k.Microseconds <= 0 || k.BytesPerSecond <= 0 {
			t.Errorf("%+v is not measured", k)
		}
		if strings.HasPrefix(k.Kernel, "linear") && k.FLOPS <= 0 {
			t.Errorf("%+v has no operations", k)
		}
	}
	if calls != len(program.Instructions) {
		t.Errorf("%d calls, the program has %d instructions", calls, len(program.Instructions))
	}
}

// All instructions of a step are in its profile, and their times add up to the step.
func TestBenchTrainProfile(t *testing.T) {
	shape := []string{"--model", "mini", "--layers", "2", "--batch", "2", "--seq", "64", "--precision", "fp32", "--json"}
	var program programInfo
	parseJSON(t, mustRun(t, "", append([]string{"inspect", "program", "--train"}, shape...)...), &program)
	var p profileBench
	calls, sum := 0, 0.0
	// A busy machine takes the thread away between a step's clock and its kernels', so one of three measurements will do.
	for attempt := 0; attempt < 3 && (attempt == 0 || sum/p.Milliseconds < 0.97); attempt++ {
		var result trainBench
		parseJSON(t, mustRun(t, "", append([]string{"bench", "train", "--steps", "8", "--profile"}, shape...)...), &result)
		p, calls, sum = *result.Profile, 0, 0
		for _, k := range p.Kernels {
			calls += k.Calls
			sum += float64(k.Calls) * k.Microseconds / 1e3
		}
	}
	if calls != len(program.Instructions) || p.Steps != 8 {
		t.Errorf("%d calls in %d steps, want %d in 8", calls, p.Steps, len(program.Instructions))
	}
	if share := sum / p.Milliseconds; math.Abs(share-p.Accounted) > 1e-9 || share < 0.97 || share > 1 {
		t.Errorf("the kernels' %g ms are %g of the step's %g, and %g is said: want 0.97 to 1", sum, share, p.Milliseconds, p.Accounted)
	}
	text := mustRun(t, "", "bench", "train", "--model", "mini", "--layers", "1", "--batch", "1", "--seq", "8", "--steps", "1", "--profile")
	if !strings.Contains(text, "where a step of") || !strings.Contains(text, "head.loss") {
		t.Errorf("no profile in\n%s", text)
	}
}

// Averages are over whole steps: two of eight at each end are left out.
func TestProfileOf(t *testing.T) {
	list := ir.Program{Instrs: []ir.Instr{{Kernel: kernels.Add, Dims: [kernels.MaxDims]int64{8}}, {Kernel: kernels.GELUBackward, Dims: [kernels.MaxDims]int64{8}},
		{Kernel: kernels.Add, Dims: [kernels.MaxDims]int64{8}}}}
	var steps []timedStep
	for _, took := range []float64{900, 40, 10, 30, 1, 20, 800, 2} { // the middle half: 10, 20, 30, 40
		steps = append(steps, timedStep{took, []float64{took / 10, took / 2, took / 5}})
	}
	p := profileOf(list, steps)
	if len(p.Kernels) != 2 || p.Kernels[0].Kernel != "gelu.backward" || p.Kernels[1].Calls != 2 {
		t.Fatalf("%+v, want gelu.backward before two calls of add", p.Kernels)
	}
	for _, c := range []struct{ got, want float64 }{{p.Milliseconds, 25e3}, {p.Accounted, 0.8}, {p.Kernels[0].Microseconds, 12.5e6},
		{p.Kernels[1].Microseconds, 3.75e6}, {p.Kernels[1].StepShare, 0.3}, {p.Kernels[1].BytesPerSecond, 3 * 32 / 3.75}} {
		if math.Abs(c.got/c.want-1) > 1e-12 {
			t.Errorf("got %g, want %g in %+v", c.got, c.want, p)
		}
	}
}

// Each size doubles, the other sizes stay, and the operations are those of the shape.
func TestBenchScale(t *testing.T) {
	report := filepath.Join(t.TempDir(), "scale.html")
	var r scaleBench
	parseJSON(t, mustRun(t, "", "bench", "scale", "--layers", "2", "--width", "16", "--heads", "2", "--vocab", "50", "--batch", "2", "--seq", "8", "--steps", "1",
		"--threads", "1", "--precision", "fp32", "--report", report, "--json"), &r)
	values := map[string][]int{"batch": {1, 2, 4, 8, 16}, "seq": {1, 2, 4, 8, 16, 32, 64}, "layers": {1, 2, 4, 8}, "width": {8, 16, 32, 64}}
	for _, s := range r.Series {
		var got []int
		for i, p := range s.Points {
			got = append(got, p.Value)
			if p.Operations <= 0 || p.Milliseconds <= 0 || (p.Growth > 0) != (i > 0) {
				t.Errorf("%s: %+v", s.Size, p)
			}
		}
		if !slices.Equal(got, values[s.Size]) {
			t.Errorf("%s: %v, want %v", s.Size, got, values[s.Size])
		}
		if first, second := s.Points[0], s.Points[1]; s.Size == "batch" && second.Operations != 2*first.Operations {
			t.Errorf("batch 2 has %g operations, batch 1 %g: want twice as many", second.Operations, first.Operations)
		}
	}
	if page, err := os.ReadFile(report); err != nil || len(r.Series) != 4 || !strings.Contains(string(page), "<svg") {
		t.Errorf("error %v, %d series, a page of %d bytes", err, len(r.Series), len(page))
	}
}

func TestBenchTokenize(t *testing.T) {
	var r tokenizeBench
	parseJSON(t, mustRun(t, "", "bench", "tokenize", "--tokenizer", "bytes", "--threads", "2", "--steps", "1", "--json"), &r)
	if r.Tokens != r.Bytes || r.Threads != 2 || r.BytesPerSecond <= 0 || r.OneThread <= 0 || r.DecodedBytes <= 0 {
		t.Errorf("%+v, want a token for each byte and three rates", r)
	}
}
