package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/spf13/cobra"

	"atoll/engine"
	"atoll/kernels"
	"atoll/model"
	"atoll/model/gpt2"
	"atoll/trainer"
	"atoll/trainer/metric"
)

// trainBench is what atoll bench train prints.
type trainBench struct {
	workload
	TokensPerSecond float64       `json:"tokens_per_second"`
	Milliseconds    float64       `json:"milliseconds"` // of a step
	FirstStep       float64       `json:"first_step_milliseconds"`
	PeakShare       float64       `json:"peak_share"`     // of the machine's operations a second, 0 to 1
	ResidentBytes   int64         `json:"resident_bytes"` // the process at its largest, while it trained
	DeviceBytes     int64         `json:"device_bytes"`   // of a GPU's memory that are in use after it, by whomever
	Loss            float64       `json:"loss"`           // after the last step
	Machine         machineInfo   `json:"machine"`
	Profile         *profileBench `json:"profile,omitempty"`
}

func (r trainBench) String() string {
	text := fmt.Sprintf("%v\n%v\n%.0f tokens/s, %.2f ms a step (the first %.2f), %.1f%% of the peak, %s resident", r.workload, r.Machine,
		r.TokensPerSecond, r.Milliseconds, r.FirstStep, 100*r.PeakShare, showBytes(r.ResidentBytes))
	if r.DeviceBytes > 0 {
		text += fmt.Sprintf(", %s of the GPU's memory", showBytes(r.DeviceBytes))
	}
	return text + r.Profile.String()
}

func newBenchTrain(s streams) *cobra.Command {
	f := &benchFlags{shapeFlags: shapeFlags{batch: 4, sequence: 64}, steps: 10}
	c := benchCommand(s, &cobra.Command{
		Use:   "train",
		Short: "Steps of pretraining: forward, backward, clipping and AdamW on random tokens",
		Example: "  atoll bench train --model gpt2 --batch 4 --seq 64 --steps 10 --json\n  atoll bench train --model gpt2 --profile\n" +
			"  atoll bench train --model mini --layers 4 --width 128 --heads 4 --vocab 257 --batch 12",
	}, f, benchTrain)
	c.Flags().BoolVar(&f.profile, "profile", false, "and time each kernel within as many more steps")
	recomputeFlag(c.Flags(), &f.recompute)
	return c
}

func benchTrain(ctx context.Context, f *benchFlags) (fmt.Stringer, error) {
	c, device, precision, err := f.open()
	if err != nil {
		return nil, err
	}
	defer device.Close()
	c.Labels, c.Problem = nil, model.LanguageModel
	store, err := randomStore(device, c, true)
	if err != nil {
		return nil, err
	}
	defer store.Free()
	p, err := compileTraining(store, c, f, precision)
	if err != nil {
		return nil, err
	}
	defer p.Free()
	number, random := 0, rand.New(rand.NewPCG(1, 0))
	step := func(run func() error) error {
		for _, name := range []string{gpt2.Tokens, gpt2.Targets} {
			for i := range p.Ints(name) {
				p.Ints(name)[i] = random.Int32N(int32(c.Vocab))
			}
		}
		store.Step()[kernels.StepLossScale] = 1 / float32(f.batch*f.sequence)
		benchAdamW.Fill(store.Step(), 1e-4, number)
		number++
		return run()
	}
	seconds, first, err := median(ctx, f.steps, func() error { return step(p.Run) })
	if err != nil {
		return nil, err
	}
	r := trainBench{workload: f.workload(c), Milliseconds: 1e3 * seconds, FirstStep: 1e3 * first, ResidentBytes: trainer.PeakMemory(), Loss: float64(store.Loss())}
	if gpu, ok := device.(onGPU); ok {
		free, total, err := gpu.Memory()
		if err != nil {
			return nil, err
		}
		r.DeviceBytes = total - free
	}
	if f.profile {
		if r.Profile, err = profile(ctx, p, f.steps, step); err != nil {
			return nil, err
		}
	}
	r.TokensPerSecond = float64(f.batch*f.sequence) / seconds
	r.Machine = measureMachine(device, precision)
	r.Profile.hold(r.Machine)
	r.PeakShare = metric.PeakShare(r.TokensPerSecond, metric.TrainingFLOPs(c.Layers, c.Width, c.Vocab, f.sequence), r.Machine.Peak)
	return r, nil
}

func compileTraining(store *engine.Store, c model.Config, f *benchFlags, precision kernels.DType) (*engine.Program, error) {
	spec := gpt2.Spec{Batch: f.batch, Sequence: f.sequence, Loss: true}
	for _, p := range c.Params() {
		spec.Train = append(spec.Train, p.Name)
	}
	graph, err := gpt2.Build(c, spec)
	if err != nil {
		return nil, err
	}
	o, err := compileOptions(f.recompute)
	if err != nil {
		return nil, err
	}
	elements, gradElements := store.Elements()
	update, err := benchAdamW.Update(store.Ranges(), elements, gradElements)
	if err != nil {
		return nil, err
	}
	o.Precision, o.Update = precision, &update
	return engine.Compile(graph, store, o)
}
