package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"atoll/engine"
	"atoll/engine/ir"
	"atoll/engine/lower"
	"atoll/engine/plan"
	"atoll/kernels"
	"atoll/kernels/cpu"
	"atoll/model"
)

const countsFile = "testdata/counts.txt"

// A performance test that counts, and so gives the same on every machine: the calls of compiled steps, the operations of their
// products, the bytes they must move, and the memory of their activations. What makes a step do more shows here, in review.
func TestCounts(t *testing.T) {
	device, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	var text strings.Builder
	for _, c := range []struct {
		mode            string
		labels          int
		batch, sequence int
		o               engine.Options
	}{
		{"train", 0, 4, 64, engine.Options{Precision: kernels.F32}},
		{"train", 0, 4, 64, engine.Options{Precision: kernels.BF16}},
		{"train", 0, 4, 64, engine.Options{Precision: kernels.BF16, Recompute: lower.RecomputeBlock}},
		{"train", 4, 16, 128, engine.Options{Precision: kernels.F32}},
		{"score", 4, 16, 128, engine.Options{Precision: kernels.F32}},
		{"score", 4, 16, 128, engine.Options{Precision: kernels.BF16}},
		{"decode", 0, 1, 64, engine.Options{Precision: kernels.F32}},
		{"decode", 0, 1, 1, engine.Options{Precision: kernels.F32}},
	} {
		config, err := model.Named("gpt2")
		if err != nil {
			t.Fatal(err)
		}
		if c.labels > 0 {
			config.Problem = model.SingleLabel
			for n := range c.labels {
				config.Labels = append(config.Labels, fmt.Sprint(n))
			}
		}
		list, store, err := compileList(config, c.mode, c.batch, c.sequence, device, c.o)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&text, "gpt2 %s, %d labels, batch %d, sequence %d, %v, recompute %v\n", c.mode, c.labels, c.batch, c.sequence, c.o.Precision, c.o.Recompute)
		writeCounts(&text, list, store)
	}
	expectCounts(t, text.String())
}

// writeCounts writes a line for each kernel, all its calls together, and one for the memory.
func writeCounts(text *strings.Builder, list ir.Program, store *engine.Store) {
	type counts struct {
		calls             int
		operations, bytes int64
	}
	var each [kernels.Count]counts
	var all counts
	for _, c := range distinctCalls(list) {
		n := int64(len(c.at))
		for _, k := range []*counts{&each[c.Kernel], &all} {
			k.calls += len(c.at)
			k.operations += n * int64(c.Operations())
			k.bytes += n * c.Traffic()
		}
	}
	line := func(name string, k counts) {
		fmt.Fprintf(text, "  %-19s %4d calls %14d operations %12d bytes\n", name, k.calls, k.operations, k.bytes)
	}
	for k, c := range each {
		if c.calls > 0 {
			line(kernels.Kernel(k).String(), c)
		}
	}
	line("step", all)
	weights, gradients := store.Elements()
	layout := plan.Temporaries(list)
	fmt.Fprintf(text, "  memory: weights %d, gradients and moments %d, activations %d bytes, and no plan needs less than %d\n",
		4*weights, 12*gradients, layout.Bytes, layout.Floor)
}

// expectCounts holds a text against the stored one, line by line.
func expectCounts(t *testing.T, got string) {
	if *update {
		if err := os.WriteFile(countsFile, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(countsFile)
	if err != nil {
		t.Fatal(err)
	}
	title, want := "", strings.Split(string(stored), "\n")
	for n, line := range strings.Split(got, "\n") {
		if !strings.HasPrefix(line, " ") {
			title = line
		}
		if n >= len(want) || line != want[n] {
			before := "nothing"
			if n < len(want) {
				before = want[n]
			}
			t.Errorf("%s\n before %s\n now    %s", title, before, line)
		}
	}
	if t.Failed() || got != string(stored) {
		t.Errorf("a step does other work, or needs other memory, than %s says: if it is meant, go test ./cmd/atoll -run TestCounts -update, "+
			"and say why in the commit", countsFile)
	}
}
