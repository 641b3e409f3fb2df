package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"atoll/trainer"
)

// trainFlags bind the settings that pretraining and fine-tuning share.
func trainFlags(f *pflag.FlagSet, s *trainer.Settings) {
	f.StringVar(&s.Data, "data", s.Data, "data directory, as written by atoll prepare (required)")
	f.StringVar(&s.Out, "out", s.Out, "run directory to write (required)")
	f.StringVar(&s.From, "from", s.From, "start from these weights: a run, a checkpoint or a Hugging Face GPT-2 directory")
	f.StringVar(&s.Model, "model", s.Model, "new model: gpt2, gpt2-medium, gpt2-large, gpt2-xl, mini or a Hugging Face config.json")
	f.IntVar(&s.Steps, "steps", s.Steps, "updates of the whole run (one of --steps, --epochs, --minutes)")
	f.Float64Var(&s.Epochs, "epochs", s.Epochs, "passes over the training split")
	f.Float64Var(&s.Minutes, "minutes", s.Minutes, "minutes of training")
	f.IntVar(&s.Batch, "batch", s.Batch, "rows of a micro-batch")
	f.IntVar(&s.Sequence, "seq", s.Sequence, "tokens of a row, at most")
	f.IntVar(&s.TokensPerStep, "tokens-per-step", s.TokensPerStep, "add micro-batches up to this many tokens before an update; 0: one micro-batch")
	recomputeFlag(f, &s.Recompute)
	f.Float64Var(&s.LearningRate, "lr", s.LearningRate, "highest learning rate")
	f.Float64Var(&s.MinLearningRate, "min-lr", s.MinLearningRate, "learning rate at the end of the cosine; below 0: a tenth of --lr")
	f.IntVar(&s.Warmup, "warmup", s.Warmup, "updates of linear warm-up")
	f.Float64Var(&s.Decay, "weight-decay", s.Decay, "decoupled weight decay of tensors of rank 2 and more")
	f.Float64Var(&s.Clip, "clip", s.Clip, "largest gradient norm; 0: no clipping")
	f.Float64Var(&s.Beta1, "beta1", s.Beta1, "AdamW's decay of the gradient's mean")
	f.Float64Var(&s.Beta2, "beta2", s.Beta2, "AdamW's decay of the gradient's variance")
	f.Float64Var(&s.Epsilon, "epsilon", s.Epsilon, "AdamW's epsilon")
	f.BoolVar(&s.Rounding, "stochastic-rounding", s.Rounding, "round each updated weight to a bf16 number, up or down by chance with the right mean: "+
		"products in bf16 and a checkpoint in bf16 then hold the weights as they are")
	f.Float64Var(&s.Dropout, "dropout", s.Dropout, "dropout of embeddings, attention and residual branches")
	f.Uint64Var(&s.Seed, "seed", s.Seed, "of weights, order, dropout and stochastic rounding")
	f.IntVar(&s.EvalEvery, "eval-every", s.EvalEvery, "updates between evaluations; 0: at the end (fine-tuning: each epoch)")
	f.IntVar(&s.EvalBatches, "eval-batches", s.EvalBatches, "validation batches of an evaluation, at most; 0: all")
	f.IntVar(&s.SaveEvery, "save-every", s.SaveEvery, "updates between checkpoints; 0: at evaluations")
	f.IntVar(&s.KeepLast, "keep-last", s.KeepLast, "checkpoints that are kept, beside the best one")
	f.BoolVar(&s.Resume, "resume", false, "go on with the run in --out, with its settings where flags do not say otherwise")
	f.BoolVar(&s.Overwrite, "overwrite", false, "replace the run in --out")
}

// recomputeFlag says what the choices cost and save: shares of the step's time, and of the memory for activations.
func recomputeFlag(f *pflag.FlagSet, to *string) {
	f.StringVar(to, "recompute", "auto", "what backward computes again instead of keeping it, with the same results: none, gelu (and layer norms: a "+
		"third of the activations' memory saved for 1 or 2 % more time) or block (all but a block's input: four fifths and more saved for about a fifth more time); "+
		"auto: on a CPU gelu where that frees 64 MiB or more, else none")
}

// complete takes what the command line leaves open from the run that is resumed, and settles how long the run is.
func complete(f *pflag.FlagSet, s *trainer.Settings) error {
	if s.Resume && !f.Changed("config") {
		if path := filepath.Join(s.Out, "settings.yaml"); fileExists(path) {
			if err := applyConfig(f, path); err != nil {
				return err
			}
		}
	}
	oneLength(f, s)
	return nil
}

// train is what pretrain and finetune run with complete settings: the device opened, the result printed.
func train(c *cobra.Command, st streams, s *trainer.Settings, d *deviceFlags, asJSON bool,
	start func(context.Context, trainer.Settings, trainer.Env) (*trainer.Result, error)) error {
	if err := s.Validate(); err != nil {
		return &usageError{err}
	}
	device, precision, err := d.open(st.err)
	if err != nil {
		return err
	}
	defer device.Close()
	s.Device, s.Threads, s.Precision = device.Name(), device.Threads(), nameOf(precision, device)
	line := progressLine(st.err)
	defer line.Close()
	line.Print(device.Describe() + ", " + s.Precision)
	result, err := start(c.Context(), *s, trainer.Env{Device: device, Precision: precision, Peak: device.Peak(precision), Progress: line})
	line.Close()
	if err != nil {
		return err
	}
	if asJSON {
		err = writeJSON(st.out, result)
	} else {
		err = printResult(st, result)
	}
	if err == nil && result.Interrupted {
		return errInterrupted
	}
	return err
}

// lengths are the flags that say how long a run is, of which one is given.
var lengths = []string{"steps", "epochs", "minutes"}

// oneLength lets a length that was given replace the default one.
func oneLength(flags *pflag.FlagSet, s *trainer.Settings) {
	given := map[string]bool{}
	for _, name := range lengths {
		given[name] = flags.Changed(name)
	}
	if !given["steps"] && !given["epochs"] && !given["minutes"] {
		return
	}
	if !given["steps"] {
		s.Steps = 0
	}
	if !given["epochs"] {
		s.Epochs = 0
	}
	if !given["minutes"] {
		s.Minutes = 0
	}
}

func printResult(st streams, r *trainer.Result) error {
	best := "not evaluated yet"
	if r.BestStep > 0 {
		best = fmt.Sprintf("best %s %.4f at step %d", r.ScoreName, r.BestScore, r.BestStep)
	}
	memory := "unknown on this system"
	if r.PeakMemory > 0 {
		memory = showBytes(r.PeakMemory)
	}
	_, err := fmt.Fprintf(st.out, "step %d, %d tokens, %.1f s, training loss %.4f\npeak memory %s\n%s\ncheckpoint %s\nreport %s\n",
		r.Step, r.Tokens, r.Seconds, r.TrainLoss, memory, best, r.Checkpoint, r.Report)
	if err == nil && r.Stopped != "" && !r.Interrupted {
		_, err = fmt.Fprintf(st.out, "stopped early: %s\n", r.Stopped)
	}
	return err
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
