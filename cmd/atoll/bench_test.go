package main

import (
	"strings"
	"testing"

	"atoll/model"
)

// Each measurement must be a positive number under the names that scripts read, and shares must be shares.
func TestBench(t *testing.T) {
	dir := writeModel(t, tinyConfig(model.LanguageModel))
	for name, fields := range map[string][]string{
		"train":    {"tokens_per_second", "milliseconds", "peak_share", "resident_bytes", "loss"},
		"classify": {"documents_per_second", "milliseconds", "peak_share", "resident_bytes"},
		"generate": {"tokens_per_second", "milliseconds", "bandwidth_share"},
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
	parseJSON(t, mustRun(t, "", append([]string{"bench", "kernels", "--steps", "1"}, shape...)...), &result)
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

func TestBenchTokenize(t *testing.T) {
	var r tokenizeBench
	parseJSON(t, mustRun(t, "", "bench", "tokenize", "--tokenizer", "bytes", "--threads", "2", "--steps", "1", "--json"), &r)
	if r.Tokens != r.Bytes || r.Threads != 2 || r.BytesPerSecond <= 0 || r.OneThread <= 0 || r.DecodedBytes <= 0 {
		t.Errorf("%+v, want a token for each byte and three rates", r)
	}
}
