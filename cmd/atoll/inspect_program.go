package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"atoll/engine"
	"atoll/engine/ir"
	"atoll/engine/lower"
	"atoll/engine/op"
	"atoll/engine/plan"
	"atoll/kernels"
	"atoll/model"
	"atoll/model/gpt2"
	"atoll/trainer/optim"
)

// programFlags are the settings of atoll inspect program.
type programFlags struct {
	shapeFlags
	device              deviceFlags
	recompute           string
	train, loss, decode bool
	plan, asJSON        bool
	floor               string
}

// programInfo is what atoll inspect program prints.
type programInfo struct {
	Model        string        `json:"model"`
	Mode         string        `json:"mode"` // train, loss, decode or score
	Batch        int           `json:"batch"`
	Sequence     int           `json:"seq"`
	Precision    string        `json:"precision"`
	Instructions []string      `json:"instructions"`
	Memory       memoryInfo    `json:"memory"`
	Values       []plannedInfo `json:"values,omitempty"` // with --plan: the temporaries
	Floor        *floorInfo    `json:"floor,omitempty"`  // with --floor

	precision kernels.DType
}

// memoryInfo is in bytes.
type memoryInfo struct {
	Weights   int64 `json:"weights"`
	Gradients int64 `json:"gradients"`
	Moments   int64 `json:"moments"`
	State     int64 `json:"state"` // caches of keys and values
	Ends      int64 `json:"inputs_and_outputs"`
	Arena     int64 `json:"arena"` // of the temporaries
	Floor     int64 `json:"floor"` // the most that is alive at one instruction: no plan needs less
}

// plannedInfo is the place of a temporary.
type plannedInfo struct {
	Name   string `json:"name"`
	DType  string `json:"dtype"`
	Shape  []int  `json:"shape"`
	Bytes  int64  `json:"bytes"`
	Offset int64  `json:"offset"`
	First  int    `json:"first"` // instruction that uses it
	Last   int    `json:"last"`
}

func newInspectProgram(s streams) *cobra.Command {
	f := &programFlags{shapeFlags: shapeFlags{batch: 4, sequence: 64}}
	c := &cobra.Command{
		Use:   "program",
		Short: "The compiled program of a model as text, with its memory plan",
		Long: "Compiles the graph for a batch shape as training and scoring do and prints the instructions that the device replays: what is\n" +
			"written, the kernel, what is read, the dims. Weights are neither needed nor allocated. With --floor: the bytes and operations of\n" +
			"each kernel, and the least time that they take on a GPU by its maker's figures; the GPU need not be here.",
		Example: "  atoll inspect program --model gpt2 --batch 4 --seq 64 --train --precision bf16\n" +
			"  atoll inspect program --model gpt2-xl --train --batch 1 --seq 1024 --plan --json\n" +
			"  atoll inspect program --model gpt2 --batch 32 --seq 1024 --train --precision bf16 --floor a100,h100,h200",
		Args: exactly(0, "flags only"),
		RunE: func(*cobra.Command, []string) error {
			info, err := describeProgram(f, s.err)
			if err != nil {
				return err
			}
			if f.asJSON {
				return writeJSON(s.out, info)
			}
			if info.Floor != nil {
				fmt.Fprintln(s.out, info.title())
				return info.Floor.print(s.out)
			}
			info.print(s.out)
			return nil
		},
	}
	flags := c.Flags()
	f.shapeFlags.add(flags)
	flags.IntVar(&f.labels, "labels", 0, "classes of a new classification head on a language model; 0: none")
	flags.BoolVar(&f.train, "train", false, "forward, loss, backward and update")
	flags.BoolVar(&f.loss, "loss", false, "forward and loss")
	flags.BoolVar(&f.decode, "decode", false, "--seq new tokens against caches of keys and values")
	flags.BoolVar(&f.plan, "plan", false, "list the place of every temporary")
	recomputeFlag(flags, &f.recompute)
	flags.StringVar(&f.floor, "floor", "", "the least time of each kernel on these GPUs in place of the instructions: a100, h100, h200 or several")
	f.device.add(flags)
	flags.BoolVar(&f.asJSON, "json", false, "print JSON")
	withConfig(c)
	return c
}

// mode names what is compiled: for a language model scoring is the loss, since it has nothing else to give.
func (f *programFlags) mode(c model.Config) (string, error) {
	chosen := "score"
	if len(c.Labels) == 0 {
		chosen = "loss"
	}
	n := 0
	for _, m := range []struct {
		name string
		on   bool
	}{{"train", f.train}, {"loss", f.loss}, {"decode", f.decode}} {
		if m.on {
			chosen = m.name
			n++
		}
	}
	if n > 1 {
		return "", usage("--train, --loss and --decode exclude each other: give one of them")
	}
	return chosen, nil
}

func describeProgram(f *programFlags, notes io.Writer) (programInfo, error) {
	c, err := f.config()
	if err != nil {
		return programInfo{}, err
	}
	info := programInfo{Model: f.model, Batch: f.batch, Sequence: f.sequence}
	if info.Mode, err = f.mode(c); err != nil {
		return info, err
	}
	o, err := compileOptions(f.recompute)
	if err != nil {
		return info, err
	}
	device, precision, err := f.device.open(notes)
	if err != nil {
		return info, err
	}
	defer device.Close()
	info.Precision, info.precision, o.Precision = nameOf(precision, device), precision, precision
	o.Recompute = engine.RecomputationOf(device, o.Recompute)
	host := kernels.Device(device)
	if f.floor != "" { // of GPUs, which need not be here
		o.Recompute, host = engine.RecomputationOf(nil, o.Recompute), nil
	}
	list, store, err := compileList(c, info.Mode, f.batch, f.sequence, host, o)
	if err != nil {
		return info, err
	}
	need := store.Need(list)
	info.Memory = memoryInfo{need.Weights, need.Gradients, need.Moments, need.Caches, need.Ends, need.Activations, need.Floor}
	for n := range list.Instrs {
		info.Instructions = append(info.Instructions, list.Line(n))
	}
	if f.plan {
		info.Values = planned(list, plan.Temporaries(list))
	}
	if f.floor != "" {
		gpus, err := ratedAll(f.floor)
		if err != nil {
			return info, err
		}
		info.Floor = floors(list, info, gpus)
	}
	return info, nil
}

// compileOptions are those of a program that recomputes as the flag says.
func compileOptions(recompute string) (engine.Options, error) {
	how, err := lower.ParseRecomputation(recompute)
	if err != nil {
		return engine.Options{}, usage("--recompute: %w", err)
	}
	return engine.Options{Recompute: how}, nil
}

// compileList lowers a model's graph, as for the device, over a store that takes no memory.
func compileList(c model.Config, mode string, batch, sequence int, device kernels.Device, o engine.Options) (ir.Program, *engine.Store, error) {
	store := engine.Sketch(c.Params(), func(string) bool { return mode == "train" })
	spec := gpt2.Spec{Batch: batch, Sequence: sequence, Loss: mode != "score"}
	if mode == "train" {
		for _, p := range c.Params() {
			spec.Train = append(spec.Train, p.Name)
		}
		elements, gradElements := store.Elements()
		update, err := benchAdamW.Update(store.Ranges(), elements, gradElements)
		if err != nil {
			return ir.Program{}, nil, err
		}
		o.Update, o.Spans = &update, engine.SpansOf(device, store)
	}
	var graph *op.Graph
	var err error
	if mode == "decode" {
		graph, err = gpt2.BuildDecoder(c, batch, sequence)
	} else {
		graph, err = gpt2.Build(c, spec)
	}
	if err != nil {
		return ir.Program{}, nil, err
	}
	list, err := engine.Lower(graph, o)
	return list, store, err
}

// planned lists the temporaries in the order of their first use.
func planned(list ir.Program, layout plan.Layout) []plannedInfo {
	at := map[ir.ID]int{}
	var values []plannedInfo
	for n, i := range list.Instrs {
		for _, id := range i.Args {
			if id == ir.None || list.Values[id].Kind != ir.Temp {
				continue
			}
			if _, known := at[id]; !known {
				v := list.Values[id]
				at[id] = len(values)
				name := v.Name
				if name == "" {
					name = fmt.Sprintf("%%%d", id)
				}
				values = append(values, plannedInfo{name, v.DType.String(), v.Shape, v.Bytes(), layout.Offsets[id], n, n})
			}
			values[at[id]].Last = n
		}
	}
	return values
}

func (info programInfo) title() string {
	return fmt.Sprintf("%s, %s, batch %d, sequence %d, %s: %d instructions", info.Model, info.Mode, info.Batch, info.Sequence, info.Precision,
		len(info.Instructions))
}

func (info programInfo) print(w io.Writer) {
	fmt.Fprintln(w, info.title())
	for n, line := range info.Instructions {
		fmt.Fprintf(w, "%4d  %s\n", n, line)
	}
	for _, v := range info.Values {
		fmt.Fprintf(w, "value %-6s %s%v, %d bytes at %d, instructions %d to %d\n", v.Name, v.DType, v.Shape, v.Bytes, v.Offset, v.First, v.Last)
	}
	m := info.Memory
	fmt.Fprintf(w, "weights            %12d bytes\ngradients          %12d\nmoments            %12d\ncaches             %12d\ninputs and outputs %12d\n",
		m.Weights, m.Gradients, m.Moments, m.State, m.Ends)
	fmt.Fprintf(w, "temporaries        %12d, and no plan needs less than %d\n", m.Arena, m.Floor)
	fmt.Fprintf(w, "together           %12d (%s)\n", m.total(), showBytes(m.total()))
}

func (m memoryInfo) total() int64 {
	return m.Weights + m.Gradients + m.Moments + m.State + m.Ends + m.Arena
}

// benchAdamW is the optimizer of programs that are looked at or measured, with the defaults of pretraining.
var benchAdamW = optim.AdamW{Beta1: 0.9, Beta2: 0.95, Epsilon: 1e-8, Decay: 0.1, Clip: 1}
