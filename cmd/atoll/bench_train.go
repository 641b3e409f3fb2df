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
	w, err := newTrainingWork(device, c, f, precision)
	if err != nil {
		return nil, err
	}
	defer w.Free()
	seconds, first, err := median(ctx, f.steps, func() error { return w.step(w.program.Run) })
	if err != nil {
		return nil, err
	}
	r := trainBench{workload: f.workload(w.config), Milliseconds: 1e3 * seconds, FirstStep: 1e3 * first, ResidentBytes: trainer.PeakMemory(), Loss: float64(w.store.Loss())}
	if gpu, ok := device.(onGPU); ok {
		free, total, err := gpu.Memory()
		if err != nil {
			return nil, err
		}
		r.DeviceBytes = total - free
	}
	if f.profile {
		if r.Profile, err = profile(ctx, w.program, f.steps, w.step); err != nil {
			return nil, err
		}
	}
	r.TokensPerSecond = float64(f.batch*f.sequence) / seconds
	w.Free() // or the peak of the process would be that of the work and of the measurement together
	r.Machine = measureMachine(device, precision)
	r.Profile.hold(r.Machine)
	r.PeakShare = metric.PeakShare(r.TokensPerSecond, metric.TrainingFLOPs(c.Layers, c.Width, c.Vocab, f.sequence), r.Machine.Peak)
	return r, nil
}

// trainingWork is a compiled step of a new model, and the random tokens that it learns.
type trainingWork struct {
	config  model.Config
	store   *engine.Store
	program *engine.Program
	random  *rand.Rand
	done    int // steps
}

func newTrainingWork(d kernels.Device, c model.Config, f *benchFlags, precision kernels.DType) (*trainingWork, error) {
	c.Labels, c.Problem = nil, model.LanguageModel
	store, err := randomStore(d, c, true)
	if err != nil {
		return nil, err
	}
	p, err := compileTraining(store, c, f, precision)
	if err != nil {
		store.Free()
		return nil, err
	}
	return &trainingWork{config: c, store: store, program: p, random: rand.New(rand.NewPCG(1, 0))}, nil
}

// step gives the program its next inputs and lets run run it.
func (w *trainingWork) step(run func() error) error {
	targets := w.program.Ints(gpt2.Targets)
	for _, ids := range [][]int32{w.program.Ints(gpt2.Tokens), targets} {
		for i := range ids {
			ids[i] = w.random.Int32N(int32(w.config.Vocab))
		}
	}
	w.store.Step()[kernels.StepLossScale] = 1 / float32(len(targets))
	benchAdamW.Fill(w.store.Step(), 1e-4, w.done)
	w.done++
	return run()
}

func (w *trainingWork) Free() {
	w.program.Free()
	w.store.Free()
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
