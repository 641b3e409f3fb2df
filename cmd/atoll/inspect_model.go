package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"atoll/model"
	"atoll/model/bpe"
	"atoll/model/checkpoint"
)

// modelInfo is what atoll inspect model prints.
type modelInfo struct {
	Directory  string           `json:"directory,omitempty"` // none for a model by name
	Task       string           `json:"task"`
	Config     json.RawMessage  `json:"config"`
	Parameters int              `json:"parameters"`
	Bytes      int64            `json:"bytes_fp32"`
	Labels     []string         `json:"labels,omitempty"`
	Tokenizer  *tokenizerInfo   `json:"tokenizer,omitempty"`
	Files      map[string]int64 `json:"files,omitempty"`
	Tensors    []tensorInfo     `json:"tensors,omitempty"`
	Warnings   []string         `json:"warnings,omitempty"`
}

type tokenizerInfo struct {
	Vocabulary int   `json:"vocabulary_size"`
	EndOfText  int32 `json:"end_of_text"`
}

type tensorInfo struct {
	Name  string `json:"name"`
	Shape []int  `json:"shape"`
	Decay bool   `json:"weight_decay"`
}

func newInspectModel(s streams) *cobra.Command {
	var asJSON, tensors, verify bool
	c := &cobra.Command{
		Use:     "model MODEL",
		Short:   "Configuration, sizes, labels and tokenizer of a model",
		Example: "  atoll inspect model runs/sms --tensors\n  atoll inspect model gpt2-xl",
		Args:    exactly(1, "a run, a checkpoint, a Hugging Face directory, a config.json, or a name like gpt2"),
		RunE: func(_ *cobra.Command, args []string) error {
			info, err := describeModel(args[0], tensors, verify)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(s.out, info)
			}
			return info.print(s.out)
		},
	}
	c.Flags().BoolVar(&tensors, "tensors", false, "list every tensor")
	c.Flags().BoolVar(&verify, "verify", false, "read every file and hold it against the checksums in manifest.json")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func describeModel(name string, tensors, verify bool) (modelInfo, error) {
	info := modelInfo{}
	config, err := readConfig(name)
	if err != nil {
		return info, err
	}
	if stat, err := os.Stat(name); err == nil && stat.IsDir() {
		if err := info.readDirectory(name, verify); err != nil {
			return info, err
		}
	}
	if info.Config, err = config.JSON(); err != nil {
		return info, err
	}
	info.Task, info.Labels, info.Parameters = config.Problem.String(), config.Labels, config.ParamCount()
	info.Bytes = 4 * int64(info.Parameters)
	if tensors {
		for _, p := range config.Params() {
			info.Tensors = append(info.Tensors, tensorInfo{p.Name, p.Shape, p.Decay})
		}
	}
	return info, nil
}

// readDirectory adds what only a model directory has. That all weights are there in the right shapes is checked too.
func (info *modelInfo) readDirectory(name string, verify bool) (err error) {
	c, err := checkpoint.Open(name, checkpoint.Options{VerifyChecksums: verify})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	info.Directory, info.Warnings, info.Files = c.Dir, c.Warnings, map[string]int64{}
	entries, err := os.ReadDir(c.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if stat, err := os.Stat(filepath.Join(c.Dir, e.Name())); err == nil && !stat.IsDir() {
			info.Files[e.Name()] = stat.Size()
		}
	}
	tokenizer, err := bpe.Load(c.Dir)
	if err != nil {
		info.Warnings = append(info.Warnings, err.Error())
		return nil
	}
	info.Tokenizer = &tokenizerInfo{tokenizer.VocabSize(), tokenizer.EndOfText()}
	return nil
}

func (info modelInfo) print(w io.Writer) error {
	c, err := model.Parse(info.Config)
	if err != nil {
		return err
	}
	if info.Directory != "" {
		fmt.Fprintf(w, "directory   %s\n", info.Directory)
	}
	fmt.Fprintf(w, "task        %s\n", info.Task)
	fmt.Fprintf(w, "size        %d layers, width %d, %d heads, inner width %d, %d positions, vocabulary %d\n",
		c.Layers, c.Width, c.Heads, c.Inner, c.Positions, c.Vocab)
	fmt.Fprintf(w, "parameters  %d, %s in fp32\n", info.Parameters, showBytes(info.Bytes))
	if len(info.Labels) > 0 {
		fmt.Fprintf(w, "labels      %d: %q\n", len(info.Labels), info.Labels)
	}
	if t := info.Tokenizer; t != nil {
		fmt.Fprintf(w, "tokenizer   %d tokens, end of text %d\n", t.Vocabulary, t.EndOfText)
	}
	printFiles(w, info.Files)
	for _, t := range info.Tensors {
		fmt.Fprintf(w, "tensor      %-40s %v\n", t.Name, t.Shape)
	}
	for _, warning := range info.Warnings {
		fmt.Fprintf(w, "warning     %s\n", warning)
	}
	return nil
}
