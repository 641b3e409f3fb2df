package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"atoll/model/predict"
)

// generateFlags are the settings of atoll generate.
type generateFlags struct {
	predict.Sampling
	model, prompt string
	device        deviceFlags
	asJSON        bool
}

// generated is what atoll generate --json prints.
type generated struct {
	Prompt          string  `json:"prompt"`
	Text            string  `json:"text"`   // without the prompt; bytes that are no UTF-8 as U+FFFD
	Tokens          int     `json:"tokens"` // made
	Seconds         float64 `json:"seconds"`
	TokensPerSecond float64 `json:"tokens_per_second"`
}

func newGenerate(s streams) *cobra.Command {
	f := &generateFlags{}
	c := &cobra.Command{
		Use:   "generate --model MODEL --prompt TEXT",
		Short: "Continue a text with a language model",
		Long:  "Writes the continuation, without the prompt, as it is made. It ends after --max-tokens, or where the model ends its text.",
		Example: "  atoll generate --model runs/shakespeare --prompt 'ROMEO:' --max-tokens 200\n" +
			"  atoll generate --model runs/shakespeare --prompt 'ROMEO:' --temperature 0 --json",
		Args: exactly(0, "flags only"),
		RunE: func(c *cobra.Command, _ []string) error { return generate(c.Context(), s, f) },
	}
	flags := c.Flags()
	flags.StringVar(&f.model, "model", "", "run, checkpoint or Hugging Face GPT-2 directory (required)")
	flags.StringVar(&f.prompt, "prompt", "", "text to continue; none: a text from its beginning")
	flags.IntVar(&f.MaxTokens, "max-tokens", 100, "new tokens, at most")
	flags.Float64Var(&f.Temperature, "temperature", 0.8, "logits are divided by it; 0 takes the likeliest token each time")
	flags.IntVar(&f.TopK, "top-k", 0, "draw from the k likeliest tokens only; 0: from all")
	flags.Float64Var(&f.TopP, "top-p", 1, "draw from the likeliest tokens that together have this probability")
	flags.Uint64Var(&f.Seed, "seed", 1, "of the draws: the same seed gives the same text")
	f.device.answers = true
	f.device.add(flags)
	flags.BoolVar(&f.asJSON, "json", false, "print one JSON document at the end")
	withConfig(c)
	return c
}

func generate(ctx context.Context, s streams, f *generateFlags) error {
	if err := f.Validate(); err != nil {
		return &usageError{err}
	}
	m, err := loadModel(s, f.model, &f.device)
	if err != nil {
		return err
	}
	defer m.close()
	began, text := time.Now(), []byte(nil)
	made, err := m.Generate(ctx, f.prompt, f.Sampling, func(piece []byte) error {
		if f.asJSON {
			text = append(text, piece...)
			return nil
		}
		_, err := s.out.Write(piece)
		return err
	})
	if err != nil {
		return err
	}
	seconds := time.Since(began).Seconds()
	if f.asJSON {
		err = writeJSON(s.out, generated{f.prompt, string(text), made, seconds, float64(made) / seconds})
	} else {
		_, err = fmt.Fprintln(s.out)
	}
	if err == nil && ctx.Err() != nil {
		return errInterrupted
	}
	return err
}
