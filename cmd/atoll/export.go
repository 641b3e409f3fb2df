package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"atoll/model"
	"atoll/model/bpe"
	"atoll/model/checkpoint"
)

// exported is what atoll export --json prints.
type exported struct {
	From       string   `json:"from"`
	Out        string   `json:"out"`
	Format     string   `json:"format"`
	Parameters int      `json:"parameters"`
	Files      []string `json:"files"`
}

func newExport(s streams) *cobra.Command {
	var name, out, format string
	asJSON := false
	c := &cobra.Command{
		Use:   "export --model MODEL --out DIR --format hf",
		Short: "Write a model as a directory for other programs",
		Long: "Format hf is a Hugging Face directory without what a trainer keeps: config.json, model.safetensors in float32, tokenizer.json,\n" +
			"tokenizer_config.json, generation_config.json, and manifest.json with checksums. transformers.AutoModelFor...from_pretrained(DIR) loads it as it is.",
		Example: "  atoll export --model runs/sms --out sms-hf --format hf",
		Args:    exactly(0, "flags only"),
		RunE: func(*cobra.Command, []string) error {
			switch {
			case name == "" || out == "":
				return usage("export: model %q and output %q, want --model MODEL and --out DIR", name, out)
			case format != "hf":
				return usage("--format %s: want hf", format)
			}
			result, err := export(s, name, out)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(s.out, result)
			}
			_, err = fmt.Fprintf(s.out, "%s: %d parameters of %s in %d files\n", result.Out, result.Parameters, result.From, len(result.Files))
			return err
		},
	}
	flags := c.Flags()
	flags.StringVar(&name, "model", "", "run, checkpoint or Hugging Face GPT-2 directory (required)")
	flags.StringVar(&out, "out", "", "directory to write, which must not exist (required)")
	flags.StringVar(&format, "format", "hf", "hf: a Hugging Face directory")
	flags.BoolVar(&asJSON, "json", false, "print what was written as JSON")
	withConfig(c)
	return c
}

// export copies the model to out: the weights as they are, the rest as Transformers wants it.
func export(s streams, path, out string) (result exported, err error) {
	c, err := checkpoint.Open(path, checkpoint.Options{VerifyChecksums: true})
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	weights, loaded, err := readWeights(c)
	if err != nil {
		return result, err
	}
	for _, w := range c.Warnings {
		fmt.Fprintf(s.err, "atoll: warning: %s\n", w)
	}
	for _, name := range loaded.Ignored {
		fmt.Fprintf(s.err, "atoll: warning: %s is not part of the model and is left out\n", name)
	}
	files, err := tokenizerFiles(c.Dir)
	if err != nil {
		return result, err
	}
	if err := checkpoint.Export(out, checkpoint.Snapshot{Config: c.Config, Weights: weights, Files: files}); err != nil {
		return result, err
	}
	entries, err := os.ReadDir(out)
	result = exported{From: c.Dir, Out: out, Format: "hf", Parameters: c.Config.ParamCount()}
	for _, e := range entries {
		result.Files = append(result.Files, e.Name())
	}
	return result, err
}

// readWeights gives all parameters of c in float32.
func readWeights(c *checkpoint.Checkpoint) ([]checkpoint.Source, checkpoint.Loaded, error) {
	var sources []checkpoint.Source
	loaded, err := c.Load(c.Config.Params(), nil, func(p model.Param) []float32 {
		values := make([]float32, p.Len())
		sources = append(sources, checkpoint.Float32(p.Name, p.Shape, values))
		return values
	})
	return sources, loaded, err
}

// tokenizerFiles are the files of the tokenizer in dir as bpe writes them.
func tokenizerFiles(dir string) (files map[string][]byte, err error) {
	tokenizer, err := bpe.Load(dir)
	if err != nil {
		return nil, fmt.Errorf("tokenizer of %s: %w", dir, err)
	}
	temporary, err := os.MkdirTemp("", "atoll-export-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temporary)) }()
	if err := tokenizer.Save(temporary); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(temporary)
	if err != nil {
		return nil, err
	}
	files = map[string][]byte{}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(temporary, e.Name())); err != nil {
			return nil, err
		}
	}
	return files, nil
}
