package trainer

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"gopkg.in/yaml.v3"

	"atoll/engine/lower"
	"atoll/trainer/optim"
)

// Settings are everything that decides what a run computes and writes. The names are those of the flags; settings.yaml
// in the run directory holds them as used and can be given back with --config. Zero values are replaced by defaults in
// Resolve: a field says which.
type Settings struct {
	Data  string `yaml:"data"`            // data directory; required
	Out   string `yaml:"out"`             // run directory; required
	Model string `yaml:"model,omitempty"` // pretraining from nothing: a name (gpt2, mini, ...) or a config.json
	From  string `yaml:"from,omitempty"`  // start from these weights: a run, a checkpoint, a Hugging Face directory

	Steps         int     `yaml:"steps,omitempty"`           // updates; one of steps, epochs, minutes
	Epochs        float64 `yaml:"epochs,omitempty"`          // passes over the training split
	Minutes       float64 `yaml:"minutes,omitempty"`         // of training
	Batch         int     `yaml:"batch"`                     // rows of a micro-batch
	Sequence      int     `yaml:"seq"`                       // tokens of a row
	TokensPerStep int     `yaml:"tokens-per-step,omitempty"` // micro-batches are added up to at least this many; 0: one micro-batch

	Precision string `yaml:"precision"` // as used: fp32, tf32, bf16 or fp16
	Recompute string `yaml:"recompute"` // none, gelu, block or auto: what backward computes again instead of keeping it; results are the same bits
	Device    string `yaml:"device"`    // as used: cpu, cuda:0
	Threads   int    `yaml:"threads"`   // as used; results are the same bits for any number

	LearningRate    float64 `yaml:"lr"`
	MinLearningRate float64 `yaml:"min-lr"` // at the end of the cosine
	Warmup          int     `yaml:"warmup"` // updates
	Decay           float64 `yaml:"weight-decay"`
	Clip            float64 `yaml:"clip"` // largest gradient norm; 0: none
	Beta1           float64 `yaml:"beta1"`
	Beta2           float64 `yaml:"beta2"`
	Epsilon         float64 `yaml:"epsilon"`
	Rounding        bool    `yaml:"stochastic-rounding"` // of updated weights, to bf16 numbers
	Dropout         float64 `yaml:"dropout"`             // of embeddings, attention and residual branches
	Seed            uint64  `yaml:"seed"`

	EvalEvery    int `yaml:"eval-every"`    // updates; 0: at the end (fine-tuning: each epoch)
	EvalBatches  int `yaml:"eval-batches"`  // of the validation split, at most, while training; 0: all
	SaveEvery    int `yaml:"save-every"`    // updates; 0: at evaluations
	KeepLast     int `yaml:"keep-last"`     // checkpoints, beside the best one
	SampleTokens int `yaml:"sample-tokens"` // of text generated at each evaluation of a language model; 0: none

	Method       string `yaml:"method,omitempty"`        // fine-tuning: full, last or head
	ClassWeights string `yaml:"class-weights,omitempty"` // fine-tuning: none, balanced, or a JSON file {"label": weight}
	Patience     int    `yaml:"patience,omitempty"`      // fine-tuning: evaluations without a better score before stopping; 0: never

	Resume    bool `yaml:"-"`
	Overwrite bool `yaml:"-"`
}

// Defaults of a pretraining run.
func PretrainDefaults() Settings {
	return Settings{Model: "gpt2", Batch: 8, Sequence: 256, Precision: "auto", Recompute: "auto", Device: "auto", LearningRate: 6e-4, Warmup: 100,
		MinLearningRate: -1, Decay: 0.1, Clip: 1, Beta1: 0.9, Beta2: 0.95, Epsilon: 1e-8, Seed: 1, EvalEvery: 250, EvalBatches: 50, KeepLast: 2, SampleTokens: 64}
}

// FinetuneDefaults are those of a fine-tuning run.
func FinetuneDefaults() Settings {
	return Settings{Epochs: 3, Batch: 16, Sequence: 256, Precision: "auto", Recompute: "auto", Device: "auto", LearningRate: 5e-5, Warmup: 50,
		MinLearningRate: -1, Decay: 0.01, Clip: 1, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Dropout: 0.1, Seed: 1, KeepLast: 1,
		Method: "full", ClassWeights: "none"}
}

// Validate names every setting that cannot be.
func (s Settings) Validate() error {
	var all []error
	check := func(ok bool, format string, values ...any) {
		if !ok {
			all = append(all, fmt.Errorf(format, values...))
		}
	}
	check(s.Data != "", "no data directory: give --data, as written by atoll prepare")
	check(s.Out != "", "no run directory: give --out")
	check(s.Batch >= 1, "batch is %d rows, want at least 1 (--batch)", s.Batch)
	check(s.Sequence >= 1, "sequence is %d tokens, want at least 1 (--seq)", s.Sequence)
	check(s.Steps >= 0 && s.Epochs >= 0 && s.Minutes >= 0, "steps %d, epochs %g, minutes %g: want none below 0", s.Steps, s.Epochs, s.Minutes)
	given := 0
	for _, is := range []bool{s.Steps > 0, s.Epochs > 0, s.Minutes > 0} {
		if is {
			given++
		}
	}
	check(given == 1, "%d of --steps, --epochs and --minutes are given, want exactly one", given)
	_, err := lower.ParseRecomputation(s.Recompute)
	check(err == nil, "%w (--recompute)", err)
	check(s.TokensPerStep >= 0, "tokens per step is %d, want at least 0 (--tokens-per-step)", s.TokensPerStep)
	check(s.Dropout >= 0 && s.Dropout < 1, "dropout is %g, want at least 0 and below 1 (--dropout)", s.Dropout)
	check(s.EvalEvery >= 0 && s.EvalBatches >= 0 && s.SaveEvery >= 0 && s.SampleTokens >= 0 && s.Patience >= 0,
		"eval-every %d, eval-batches %d, save-every %d, sample-tokens %d, patience %d: want none below 0", s.EvalEvery, s.EvalBatches, s.SaveEvery, s.SampleTokens, s.Patience)
	check(s.KeepLast >= 1, "keep-last is %d, want at least 1 (--keep-last)", s.KeepLast)
	all = append(all, s.adamW().Validate(), optim.Schedule{Peak: s.LearningRate, Min: s.minRate(), Warmup: s.Warmup, Steps: 1}.Validate())
	return errors.Join(all...)
}

// minRate is the least learning rate: a tenth of the highest unless it was given.
func (s Settings) minRate() float64 {
	if s.MinLearningRate < 0 {
		return s.LearningRate / 10
	}
	return s.MinLearningRate
}

func (s Settings) adamW() optim.AdamW {
	return optim.AdamW{Beta1: float32(s.Beta1), Beta2: float32(s.Beta2), Epsilon: float32(s.Epsilon), Decay: float32(s.Decay), Clip: float32(s.Clip),
		Rounding: s.Rounding}
}

// write leaves out what the command that resumes the run has no flag for: a classifier writes no samples.
func (s Settings) write(path string) error {
	var node yaml.Node
	if err := node.Encode(s); err != nil {
		return err
	}
	const each = 2 // a mapping's content is its keys and values in turn
	for n := 0; s.Method != "" && n < len(node.Content); n += each {
		if node.Content[n].Value == "sample-tokens" {
			node.Content = slices.Delete(node.Content, n, n+each)
			break
		}
	}
	text, err := yaml.Marshal(&node)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}
