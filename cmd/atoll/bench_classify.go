package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/spf13/cobra"

	"atoll/engine"
	"atoll/model"
	"atoll/model/gpt2"
	"atoll/trainer"
	"atoll/trainer/metric"
)

// classifyBench is what atoll bench classify prints.
type classifyBench struct {
	workload
	DocumentsPerSecond float64     `json:"documents_per_second"`
	TokensPerSecond    float64     `json:"tokens_per_second"`
	Milliseconds       float64     `json:"milliseconds"` // of a batch
	PeakShare          float64     `json:"peak_share"`
	ResidentBytes      int64       `json:"resident_bytes"`
	Products           string      `json:"products"` // the precision of products: the machine's, or int8
	Machine            machineInfo `json:"machine"`
}

func (r classifyBench) String() string {
	return fmt.Sprintf("%v\n%v\n%.1f documents/s, %.0f tokens/s, %.2f ms a batch, %.1f%% of the peak in %s, which its products are in, %s resident", r.workload, r.Machine,
		r.DocumentsPerSecond, r.TokensPerSecond, r.Milliseconds, 100*r.PeakShare, r.Products, showBytes(r.ResidentBytes))
}

func newBenchClassify(s streams) *cobra.Command {
	f := &benchFlags{shapeFlags: shapeFlags{batch: 16, sequence: 128, labels: 4}, device: deviceFlags{answers: true}, steps: 10}
	return benchCommand(s, &cobra.Command{
		Use:     "classify",
		Short:   "Scoring of documents that are --seq tokens long, in batches",
		Example: "  atoll bench classify --model gpt2 --batch 16 --seq 128 --json",
	}, f, benchClassify)
}

func benchClassify(ctx context.Context, f *benchFlags) (fmt.Stringer, error) {
	c, device, o, err := f.openToAnswer()
	if err != nil {
		return nil, err
	}
	defer device.Close()
	store, err := randomStore(device, c, false)
	if err != nil {
		return nil, err
	}
	defer store.Free()
	graph, err := gpt2.Build(c, gpt2.Spec{Batch: f.batch, Sequence: f.sequence})
	if err != nil {
		return nil, err
	}
	p, err := engine.Compile(graph, store, o)
	if err != nil {
		return nil, err
	}
	defer p.Free()
	random := rand.New(rand.NewPCG(1, 0))
	seconds, _, err := median(ctx, f.steps, func() error {
		for i := range p.Ints(gpt2.Tokens) {
			p.Ints(gpt2.Tokens)[i] = random.Int32N(int32(c.Vocab))
		}
		for i := range p.Ints(gpt2.Lengths) {
			p.Ints(gpt2.Lengths)[i] = int32(f.sequence)
		}
		return p.Run()
	})
	if err != nil {
		return nil, err
	}
	r := classifyBench{workload: f.workload(c), DocumentsPerSecond: float64(f.batch) / seconds, Milliseconds: 1e3 * seconds, ResidentBytes: trainer.PeakMemory()}
	r.TokensPerSecond = r.DocumentsPerSecond * float64(f.sequence)
	p.Free() // as in benchTrain
	store.Free()
	r.Machine = measureMachine(device, o.Precision)
	r.Products = answerName(o.Precision, o.Packing, device)
	r.PeakShare = metric.PeakShare(r.TokensPerSecond, answerFLOPs(c, f.sequence), r.Machine.answerPeak(o.Packing))
	return r, nil
}

// answerFLOPs is the operations of a token that is read: forward, without the language head.
func answerFLOPs(c model.Config, sequence int) float64 {
	return metric.TrainingFLOPs(c.Layers, c.Width, 0, sequence) / 3
}
