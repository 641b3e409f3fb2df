package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what the tests that are run hold golden anew: the table of docs/gpu.md, testdata/counts.txt")

// The table of docs/gpu.md is what atoll inspect program --floor says of GPT-2 124M.
func TestGPUDoc(t *testing.T) {
	const path, begin, end = "../../docs/gpu.md", "-update -->\n", "<!-- /floor -->"
	arguments := "inspect program --model gpt2 --batch 32 --seq 1024 --train --precision bf16 --floor a100,h100,h200"
	var info programInfo
	parseJSON(t, mustRun(t, "", append(strings.Fields(arguments), "--device", "cpu", "--json")...), &info)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begin)
	was, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no %q or no %q", path, begin, end)
	}
	is := floorTable(info, arguments)
	if *update {
		if err := os.WriteFile(path, []byte(before+begin+is+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if was != is {
		t.Errorf("%s is not what the program says: go test ./cmd/atoll -run TestGPUDoc -update. Want\n%s", path, is)
	}
}

// floorTable is the floor as a table in Markdown. Nothing was measured yet; whoever does puts the figures beside it.
func floorTable(info programInfo, arguments string) string {
	const measured = "not measured"
	var b strings.Builder
	fmt.Fprintf(&b, "A step of GPT-2 124M, B %d, T %d, %s, by `atoll %s`. A floor is the longer of the call's bytes (each argument once) at the\n"+
		"memory's rate and the operations of its products at the peak. The rates are NVIDIA's:", info.Batch, info.Sequence, info.Precision, arguments)
	for _, g := range info.Floor.GPUs {
		fmt.Fprintf(&b, " %s %.0f TFLOP/s and %.3g TB/s;", strings.ToUpper(g.GPU), g.Peak/1e12, g.Bandwidth/1e12)
	}
	b.WriteString(" 80 GB SXM, SXM and SXM.\nTimes are microseconds of one call, _m_ where the memory is the limit.\n\n| kernel | dims | calls | MB | GFLOP |")
	rule := "|---|---|---|---|---|"
	for _, g := range info.Floor.GPUs {
		fmt.Fprintf(&b, " %s |", strings.ToUpper(g.GPU))
		rule += "---|"
	}
	fmt.Fprintf(&b, " measured |\n%s---|\n", rule)
	for _, k := range info.Floor.Kernels {
		fmt.Fprintf(&b, "| %s | %s | %d | %.1f | %.1f |", k.Kernel, k.Dims, k.Calls, float64(k.Bytes)/1e6, k.Operations/1e9)
		for _, g := range k.GPUs {
			limit := ""
			if g.Limit == "memory" {
				limit = " _m_"
			}
			fmt.Fprintf(&b, " %.1f%s |", g.Microseconds, limit)
		}
		fmt.Fprintf(&b, " %s |\n", measured)
	}
	row := func(what string, value func(stepFloor) string) {
		fmt.Fprintf(&b, "| **%s** | | | | |", what)
		for _, g := range info.Floor.GPUs {
			fmt.Fprintf(&b, " **%s** |", value(g))
		}
		fmt.Fprintf(&b, " %s |\n", measured)
	}
	row("a step, ms", func(g stepFloor) string { return fmt.Sprintf("%.2f", g.Milliseconds) })
	row("tokens/s", func(g stepFloor) string { return fmt.Sprintf("%.0f", g.TokensPerSecond) })
	return b.String()
}
