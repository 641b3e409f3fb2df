package main

import (
	"cmp"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"atoll/model"
	"atoll/model/checkpoint"
)

// shapeFlags name a model without its weights, and the shape of a batch. Values set before add are the defaults.
type shapeFlags struct {
	model                string
	layers, width, heads int
	vocab, labels        int
	batch, sequence      int
}

func (f *shapeFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.model, "model", cmp.Or(f.model, "gpt2"), "gpt2, gpt2-medium, gpt2-large, gpt2-xl, mini, a Hugging Face config.json, or a model directory")
	flags.IntVar(&f.batch, "batch", f.batch, "rows")
	flags.IntVar(&f.sequence, "seq", f.sequence, "tokens of a row")
	flags.IntVar(&f.layers, "layers", 0, "blocks, in place of the model's")
	flags.IntVar(&f.width, "width", 0, "floats of a token, in place of the model's")
	flags.IntVar(&f.heads, "heads", 0, "attention heads, in place of the model's")
	flags.IntVar(&f.vocab, "vocab", 0, "vocabulary, in place of the model's")
}

// config is the model's configuration with what the flags replace.
func (f *shapeFlags) config() (model.Config, error) {
	if f.batch < 1 || f.sequence < 1 {
		return model.Config{}, usage("--batch %d --seq %d: want both at least 1", f.batch, f.sequence)
	}
	c, err := readConfig(f.model)
	if err != nil {
		return c, err
	}
	if f.width > 0 {
		c.Width, c.Inner = f.width, 4*f.width
	}
	for _, replaced := range []struct {
		by int
		to *int
	}{{f.layers, &c.Layers}, {f.heads, &c.Heads}, {f.vocab, &c.Vocab}} {
		switch {
		case replaced.by < 0:
			return c, usage("--layers %d --width %d --heads %d --vocab %d: want none below 0", f.layers, f.width, f.heads, f.vocab)
		case replaced.by > 0:
			*replaced.to = replaced.by
		}
	}
	if f.vocab > 0 && c.EndOfText >= f.vocab {
		c.EndOfText, c.PadToken = model.NoToken, model.NoToken
	}
	if f.labels > 0 && len(c.Labels) == 0 {
		c.Problem, c.Labels = model.SingleLabel, nil
		for n := range f.labels {
			c.Labels = append(c.Labels, fmt.Sprintf("LABEL_%d", n))
		}
	}
	if f.sequence > c.Positions {
		return c, usage("--seq %d: %s has %d positions: want at most as many", f.sequence, f.model, c.Positions)
	}
	return c, c.Validate()
}

// readConfig finds a configuration by a well-known name, in a file, or in a model directory.
func readConfig(name string) (model.Config, error) {
	if strings.HasSuffix(name, ".json") {
		text, err := os.ReadFile(name)
		if err != nil {
			return model.Config{}, err
		}
		c, err := model.Parse(text)
		if err != nil {
			err = fmt.Errorf("%s: %w", name, err)
		}
		return c, err
	}
	if c, err := model.Named(name); err == nil || !fileExists(name) {
		return c, err
	}
	c, err := checkpoint.Open(name, checkpoint.Options{})
	if err != nil {
		return model.Config{}, err
	}
	return c.Config, c.Close()
}
