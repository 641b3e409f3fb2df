package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"atoll/engine"
	"atoll/kernels"
	"atoll/model"
)

// benchFlags are the settings that all measurements share.
type benchFlags struct {
	shapeFlags
	device    deviceFlags
	recompute string // of bench train
	profile   bool   // of bench train
	report    string // of bench kernels and bench scale
	steps     int
	asJSON    bool
	notes     io.Writer
}

func newBench(s streams) *cobra.Command {
	c := &cobra.Command{
		Use:     "bench kernels|train|scale|classify|generate|tokenize",
		Short:   "Measure this machine, with its own peaks beside the figures",
		Example: "  atoll bench train --model gpt2 --batch 4 --seq 64\n  atoll bench kernels --precision bf16 --json",
		Args:    cobra.ArbitraryArgs,
		RunE:    subcommands,
	}
	for _, sub := range []*cobra.Command{newBenchKernels(s), newBenchTrain(s), newBenchScale(s), newBenchClassify(s), newBenchGenerate(s), newBenchTokenize(s)} {
		sub.Flags().SortFlags = false
		c.AddCommand(sub)
	}
	return c
}

// benchCommand makes the command of one measurement: measure gives the result, which prints itself.
func benchCommand(s streams, c *cobra.Command, f *benchFlags, measure func(context.Context, *benchFlags) (fmt.Stringer, error)) *cobra.Command {
	f.notes = s.err
	c.RunE = func(c *cobra.Command, _ []string) error {
		if f.steps < 1 {
			return usage("--steps %d: want at least 1", f.steps)
		}
		result, err := measure(c.Context(), f)
		if err != nil {
			return err
		}
		if f.asJSON {
			return writeJSON(s.out, result)
		}
		_, err = fmt.Fprintln(s.out, result)
		return err
	}
	c.Args = exactly(0, "flags only")
	f.addTo(c.Flags())
	withConfig(c)
	return c
}

func (f *benchFlags) addTo(flags *pflag.FlagSet) {
	f.shapeFlags.add(flags)
	flags.IntVar(&f.steps, "steps", f.steps, "runs that are measured, after two to warm up; their median is given")
	f.device.add(flags)
	flags.BoolVar(&f.asJSON, "json", false, "print JSON")
}

// workload is what was measured, in every result.
type workload struct {
	Model      string `json:"model"`
	Parameters int    `json:"parameters"`
	Batch      int    `json:"batch"`
	Sequence   int    `json:"seq"`
	Steps      int    `json:"steps"`
}

func (f *benchFlags) workload(c model.Config) workload {
	return workload{f.model, c.ParamCount(), f.batch, f.sequence, f.steps}
}

func (w workload) String() string {
	return fmt.Sprintf("%s (%d parameters), batch %d, sequence %d, median of %d", w.Model, w.Parameters, w.Batch, w.Sequence, w.Steps)
}

// open gives what a measurement of a model needs.
func (f *benchFlags) open() (model.Config, processor, kernels.DType, error) {
	c, err := f.config()
	if err != nil {
		return c, nil, 0, err
	}
	device, precision, err := f.device.open(f.notes)
	return c, device, precision, err
}

// openToAnswer is open for what does not train.
func (f *benchFlags) openToAnswer() (model.Config, processor, engine.Options, error) {
	c, err := f.config()
	if err != nil {
		return c, nil, engine.Options{}, err
	}
	device, precision, packing, err := f.device.openToAnswer(f.notes)
	return c, device, engine.Options{Precision: precision, Packing: packing}, err
}

// randomStore makes a model with new weights.
func randomStore(d kernels.Device, c model.Config, train bool) (*engine.Store, error) {
	store, err := engine.NewStore(d, c.Params(), func(string) bool { return train })
	if err != nil {
		return nil, err
	}
	for _, p := range c.Params() {
		values := store.View(engine.Weights, p.Name)
		staged := values == nil
		if staged {
			values = make([]float32, p.Len())
		}
		err := model.Initialize(p, 1, values)
		if err == nil && staged {
			err = store.Write(engine.Weights, p.Name, values)
		}
		if err != nil {
			store.Free()
			return nil, err
		}
	}
	return store, nil
}

// warmUp is how many runs are not counted: the first one touches all memory for the first time.
const warmUp = 2

// median runs f and gives the median of its seconds, and those of the first run.
func median(ctx context.Context, steps int, f func() error) (seconds, first float64, err error) {
	var all []float64
	for n := range steps + warmUp {
		if ctx.Err() != nil {
			return 0, 0, errInterrupted
		}
		began := time.Now()
		if err := f(); err != nil {
			return 0, 0, err
		}
		took := time.Since(began).Seconds()
		if n == 0 {
			first = took
		}
		if n >= warmUp {
			all = append(all, took)
		}
	}
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2, first, nil
}
