package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"atoll/engine"
	"atoll/model"
	"atoll/model/gpt2"
	"atoll/trainer"
)

// generateBench is what atoll bench generate prints.
type generateBench struct {
	workload
	TokensPerSecond float64     `json:"tokens_per_second"`
	Milliseconds    float64     `json:"milliseconds"`    // of a token in every row
	BandwidthShare  float64     `json:"bandwidth_share"` // of the machine's, if each weight is read once a token
	ResidentBytes   int64       `json:"resident_bytes"`
	Machine         machineInfo `json:"machine"`
}

func (r generateBench) String() string {
	return fmt.Sprintf("%v\n%v\n%.1f tokens/s, %.2f ms a token, %.1f%% of the memory's bandwidth, %s resident", r.workload, r.Machine,
		r.TokensPerSecond, r.Milliseconds, 100*r.BandwidthShare, showBytes(r.ResidentBytes))
}

func newBenchGenerate(s streams) *cobra.Command {
	return benchCommand(s, &cobra.Command{
		Use:     "generate",
		Short:   "Decoding with caches, one token a row behind --seq tokens of text",
		Example: "  atoll bench generate --model gpt2 --batch 1 --seq 128",
	}, &benchFlags{shapeFlags: shapeFlags{batch: 1, sequence: 128}, steps: 32}, benchGenerate)
}

func benchGenerate(ctx context.Context, f *benchFlags) (fmt.Stringer, error) {
	c, device, precision, err := f.open()
	if err != nil {
		return nil, err
	}
	defer device.Close()
	c.Labels, c.Problem = nil, model.LanguageModel
	store, err := randomStore(device, c, false)
	if err != nil {
		return nil, err
	}
	defer store.Free()
	graph, err := gpt2.BuildDecoder(c, f.batch, 1)
	if err != nil {
		return nil, err
	}
	p, err := engine.Compile(graph, store, engine.Options{Precision: precision})
	if err != nil {
		return nil, err
	}
	defer p.Free()
	for b := range f.batch {
		p.Ints(gpt2.Lengths)[b] = 1
	}
	p.Ints(gpt2.Start)[0] = int32(f.sequence - 1)
	seconds, _, err := median(ctx, f.steps, p.Run)
	if err != nil {
		return nil, err
	}
	r := generateBench{workload: f.workload(c), TokensPerSecond: float64(f.batch) / seconds, Milliseconds: 1e3 * seconds, ResidentBytes: trainer.PeakMemory()}
	r.Machine = measureMachine(device, precision)
	r.BandwidthShare = share(4*float64(c.ParamCount())/seconds, r.Machine.Bandwidth)
	return r, nil
}
