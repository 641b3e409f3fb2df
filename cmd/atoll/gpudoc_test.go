package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what the tests that are run hold golden anew: the table of docs/gpu.md, testdata/counts.txt")

// measuredIn is the run of bench/gpu.sh whose figures stand in docs/gpu.md.
const measuredIn = "bench/results/gpu-2026-11-26-nvidia-h100-80gb-hbm3.md"

// The table of docs/gpu.md is what atoll inspect program --floor says of GPT-2 124M, with what a GPU took.
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
	is := floorTable(info, arguments, readMeasured(t))
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

// measured is what a GPU took for a step of GPT-2 124M with a batch of 32.
type measured struct {
	microseconds            map[string][]string // of a call, by kernel and dims; more than one where optional arguments differ
	milliseconds, perSecond string              // of a step in each turn
}

var (
	benchedKernel = regexp.MustCompile(`(?m)^(\S+) +\d+ +([\d.]+) +\S+ +\d+% +\S+ +\d+% +[\d.]+%  (.*)$`)
	anyChunk      = regexp.MustCompile(` R=\d+( LD=\d+)?`) // of the head: the table of floors has a CPU's
	trainedTurn   = regexp.MustCompile(`(?m)^\| atoll, turn \d+ \| ([\d.]+) \| ([\d.]+) \|`)
)

// readMeasured takes it from the file of a run: the table of atoll bench kernels in bf16, and atoll's turns beside PyTorch.
func readMeasured(t *testing.T) measured {
	t.Helper()
	text, err := os.ReadFile("../../" + measuredIn)
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "bench kernels --device cuda --model gpt2 --seq 1024 --batch 32 --steps 20 --precision bf16\n")
	_, training, trained := strings.Cut(string(text), "\ngpt2, batch 32 ")
	if !found || !trained {
		t.Fatalf("%s has no kernels of gpt2 in bf16, or no training of it with a batch of 32", measuredIn)
	}
	table, _, _ = strings.Cut(table, "```")
	training, _, _ = strings.Cut(training, "\n\ngpt2")
	m := measured{microseconds: map[string][]string{}}
	for _, row := range benchedKernel.FindAllStringSubmatch(table, -1) {
		key := row[1] + " " + anyChunk.ReplaceAllString(row[3], "")
		m.microseconds[key] = append(m.microseconds[key], row[2])
	}
	var steps, rates []string
	for _, row := range trainedTurn.FindAllStringSubmatch(training, -1) {
		rates, steps = append(rates, rounded(t, row[1], 0)), append(steps, rounded(t, row[2], 2))
	}
	m.milliseconds, m.perSecond = strings.Join(steps, ", "), strings.Join(rates, ", ")
	return m
}

// next is what a call of the kernel took: both tables have them in the order of the program.
func (m measured) next(kernel, dims string) string {
	key := kernel + " " + anyChunk.ReplaceAllString(dims, "")
	if len(m.microseconds[key]) == 0 {
		return "not measured"
	}
	first := m.microseconds[key][0]
	m.microseconds[key] = m.microseconds[key][1:]
	return first
}

// rounded is a number of the file with so many decimals.
func rounded(t *testing.T, number string, decimals int) string {
	t.Helper()
	x, err := strconv.ParseFloat(number, 64)
	if err != nil {
		t.Fatal(err)
	}
	return strconv.FormatFloat(x, 'f', decimals, 64)
}

// floorTable is the floor as a table in Markdown, with what was measured beside it.
func floorTable(info programInfo, arguments string, m measured) string {
	var b strings.Builder
	fmt.Fprintf(&b, "A step of GPT-2 124M, B %d, T %d, %s, by `atoll %s`. A floor is the longer of the call's bytes (each argument once) at the\n"+
		"memory's rate and the operations of its products at the peak. The rates are NVIDIA's:", info.Batch, info.Sequence, info.Precision, arguments)
	for _, g := range info.Floor.GPUs {
		fmt.Fprintf(&b, " %s %.0f TFLOP/s and %.3g TB/s;", strings.ToUpper(g.GPU), g.Peak/1e12, g.Bandwidth/1e12)
	}
	b.WriteString(" 80 GB SXM, SXM and SXM.\nTimes are microseconds of one call, _m_ where the memory is the limit. Measured: on an\n" +
		"H100, each kernel by itself, and whole steps in two turns (" + measuredIn + ").\n\n| kernel | dims | calls | MB | GFLOP |")
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
		fmt.Fprintf(&b, " %s |\n", m.next(k.Kernel, k.Dims))
	}
	row := func(what, measured string, value func(stepFloor) string) {
		fmt.Fprintf(&b, "| **%s** | | | | |", what)
		for _, g := range info.Floor.GPUs {
			fmt.Fprintf(&b, " **%s** |", value(g))
		}
		fmt.Fprintf(&b, " %s |\n", measured)
	}
	row("a step, ms", m.milliseconds, func(g stepFloor) string { return fmt.Sprintf("%.2f", g.Milliseconds) })
	row("tokens/s", m.perSecond, func(g stepFloor) string { return fmt.Sprintf("%.0f", g.TokensPerSecond) })
	return b.String()
}
