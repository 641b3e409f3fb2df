package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"atoll/engine"
	"atoll/engine/ir"
	"atoll/model"
	"atoll/model/gpt2"
	"atoll/model/predict"
	"atoll/trainer"
	"atoll/trainer/metric"
)

// generateBench is what atoll bench generate prints.
type generateBench struct {
	workload
	TokensPerSecond float64     `json:"tokens_per_second"`
	Milliseconds    float64     `json:"milliseconds"`    // of a token in every row
	BandwidthShare  float64     `json:"bandwidth_share"` // of the machine's in reading, for products' weights, each read once a token
	PromptTokens    float64     `json:"prompt_tokens_per_second"`
	PromptTime      float64     `json:"prompt_milliseconds"` // to read a prompt of --seq tokens in every row
	PromptPeakShare float64     `json:"prompt_peak_share"`   // of the machine's operations a second while it reads it
	ResidentBytes   int64       `json:"resident_bytes"`
	Products        string      `json:"products"` // the precision of products: the machine's, or int8
	Machine         machineInfo `json:"machine"`
}

func (r generateBench) String() string {
	return fmt.Sprintf("%v\n%v\n%.1f tokens/s, %.2f ms a token, %.1f%% of the memory's bandwidth, products in %s, %s resident\nthe prompt: %.1f tokens/s, %.2f ms, %.1f%% of the peak", r.workload, r.Machine,
		r.TokensPerSecond, r.Milliseconds, 100*r.BandwidthShare, r.Products, showBytes(r.ResidentBytes), r.PromptTokens, r.PromptTime, 100*r.PromptPeakShare)
}

func newBenchGenerate(s streams) *cobra.Command {
	return benchCommand(s, &cobra.Command{
		Use:     "generate",
		Short:   "Decoding with caches, one token a row behind --seq tokens of text, and reading that text",
		Example: "  atoll bench generate --model gpt2 --batch 1 --seq 128",
	}, &benchFlags{shapeFlags: shapeFlags{batch: 1, sequence: 128}, device: deviceFlags{answers: true}, steps: 32}, benchGenerate)
}

func benchGenerate(ctx context.Context, f *benchFlags) (fmt.Stringer, error) {
	c, device, o, err := f.openToAnswer()
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
	prompt, err := compileDecoder(store, c, f.batch, min(f.sequence, predict.PromptChunk), o)
	if err != nil {
		return nil, err
	}
	defer prompt.Free()
	o.State = prompt.State()
	p, err := compileDecoder(store, c, f.batch, 1, o)
	if err != nil {
		return nil, err
	}
	defer p.Free() // before prompt, whose caches it uses
	reading, _, err := median(ctx, f.steps, func() error { return readPrompt(prompt, f.batch, f.sequence) })
	if err != nil {
		return nil, err
	}
	p.Ints(gpt2.Start)[0] = int32(f.sequence - 1)
	seconds, _, err := median(ctx, f.steps, p.Run)
	if err != nil {
		return nil, err
	}
	r := generateBench{workload: f.workload(c), TokensPerSecond: float64(f.batch) / seconds, Milliseconds: 1e3 * seconds, ResidentBytes: trainer.PeakMemory()}
	r.PromptTokens, r.PromptTime = float64(f.batch*f.sequence)/reading, 1e3*reading
	p.Free() // as in benchTrain
	prompt.Free()
	store.Free()
	r.Machine = measureMachine(device, o.Precision)
	r.Products = answerName(o.Precision, o.Packing, device)
	r.PromptPeakShare = metric.PeakShare(r.PromptTokens, answerFLOPs(c, f.sequence), r.Machine.answerPeak(o.Packing))
	r.BandwidthShare = share(float64(productWeights(p.List))/seconds, r.Machine.Reading)
	return r, nil
}

// compileDecoder gives the program that adds so many tokens to every row.
func compileDecoder(store *engine.Store, c model.Config, batch, tokens int, o engine.Options) (*engine.Program, error) {
	graph, err := gpt2.BuildDecoder(c, batch, tokens)
	if err != nil {
		return nil, err
	}
	p, err := engine.Compile(graph, store, o)
	if err != nil {
		return nil, err
	}
	for b := range batch {
		p.Ints(gpt2.Lengths)[b] = int32(tokens)
	}
	return p, nil
}

// productWeights is the bytes of the weights that the products of a list read.
func productWeights(list ir.Program) (total int64) {
	for n := range list.Instrs {
		for _, name := range []string{"w", "packed"} {
			if id := list.Instrs[n].Arg(name); id != ir.None {
				total += list.Values[id].Bytes()
			}
		}
	}
	return total
}

// readPrompt reads tokens in every row as the generator does, a chunk at a time. A last chunk that is not full takes as long as a
// full one.
func readPrompt(p *engine.Program, batch, tokens int) error {
	chunk := len(p.Ints(gpt2.Tokens)) / batch
	for from := 0; from < tokens; from += chunk {
		p.Ints(gpt2.Start)[0] = int32(min(from, tokens-chunk))
		if err := p.Run(); err != nil {
			return err
		}
	}
	return nil
}
