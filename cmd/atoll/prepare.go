package main

import (
	"context"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"atoll/model/bpe"
	"atoll/model/checkpoint"
	"atoll/trainer/data"
)

// prepareFlags are the settings of an import as the user gives them.
type prepareFlags struct {
	data.Options
	task, format, split, onBadRow, tokenizer, classes string
	vocab                                             int
	asJSON                                            bool
}

func newPrepare(s streams) *cobra.Command {
	p := &prepareFlags{}
	c := &cobra.Command{
		Use:   "prepare --input FILE... --out DATA",
		Short: "Turn text files into a data directory",
		Long: "Reads CSV, TSV, JSONL, Parquet, plain text and folders, gzip and zstd too, checks every row, splits and tokenises.\n" +
			"Rows that cannot be used are reported with file, line and what to do.",
		Example: "  atoll prepare --input reviews.csv --task classify --text review --label stars --out data/reviews\n" +
			"  atoll prepare --input corpus/ --tokenizer train --vocab 8192 --out data/corpus",
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error { return prepare(c.Context(), s, p, args) },
	}
	f := c.Flags()
	f.StringSliceVar(&p.Inputs, "input", nil, "files and folders (also as arguments)")
	f.StringVar(&p.Out, "out", "", "data directory to write (required)")
	f.StringVar(&p.task, "task", "lm", "lm, classify or multilabel")
	f.StringSliceVar(&p.Text, "text", nil, "column with the text: a name, or a number from 0 for a file without a header; several are joined by a newline")
	f.StringVar(&p.Label, "label", "", "column with the label, likewise")
	f.StringVar(&p.LabelSeparator, "label-separator", ",", "between the labels of a multilabel field")
	f.StringVar(&p.classes, "labels", "", "file with the classes in order, one a line; default: those found")
	f.StringVar(&p.tokenizer, "tokenizer", "gpt2", "gpt2, bytes, train, or a directory with a tokenizer.json (a model is one)")
	f.IntVar(&p.vocab, "vocab", 8192, "vocabulary of --tokenizer train")
	f.StringVar(&p.split, "split", "", "training, validation and test shares, or every-tenth; default: 0.8,0.1,0.1, and for lm with --valid 1,0,0")
	f.StringSliceVar(&p.Valid, "valid", nil, "files of the validation split")
	f.StringSliceVar(&p.Test, "test", nil, "files of the test split")
	f.Uint64Var(&p.Seed, "seed", 1, "of the split")
	f.StringVar(&p.format, "format", "", "csv, tsv, jsonl, parquet or text; default: by file name")
	f.StringVar(&p.onBadRow, "on-bad-row", "fail", "fail, or skip: leave bad rows out, counted")
	f.BoolVar(&p.Overwrite, "overwrite", false, "replace --out if it is a data directory")
	f.BoolVar(&p.asJSON, "json", false, "print dataset.json")
	withConfig(c)
	return c
}

// complete turns the flags into the importer's options.
func (p *prepareFlags) complete(args []string) error {
	p.Inputs = append(p.Inputs, args...)
	if len(p.Inputs) == 0 || p.Out == "" {
		return usage("prepare: %d inputs and output %q, want at least one --input and an --out", len(p.Inputs), p.Out)
	}
	p.Task, p.Format, p.OnBadRow = data.Task(p.task), data.Format(p.format), data.BadRowPolicy(p.onBadRow)
	p.TokenizerName = p.tokenizer
	if p.split == "" {
		p.split = "0.8,0.1,0.1"
		if p.Task == data.LanguageModel && len(p.Valid) > 0 {
			p.split = "1,0,0" // what a language model is compared by is the validation text, which is here
		}
	}
	var err error
	if p.Split, err = data.ParseSplit(p.split); err != nil {
		return &usageError{err}
	}
	if p.classes != "" {
		text, err := os.ReadFile(p.classes)
		if err != nil {
			return err
		}
		p.Labels = strings.Split(strings.TrimRight(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n"), "\n")
	}
	return nil
}

func prepare(ctx context.Context, s streams, p *prepareFlags, args []string) error {
	if err := p.complete(args); err != nil {
		return err
	}
	line := importLine{out: s.err}
	p.Progress = line.update
	im, err := data.Scan(ctx, p.Options)
	if err == nil {
		var tokenizer *bpe.Tokenizer
		if tokenizer, err = openTokenizer(ctx, p.tokenizer, p.vocab, im.TrainingTexts(ctx)); err == nil {
			var m *data.Manifest
			if m, err = im.Write(ctx, tokenizer); err == nil {
				line.close()
				return printManifest(s, p, m)
			}
		}
	}
	line.close()
	if ctx.Err() != nil {
		return errInterrupted
	}
	return err
}

// openTokenizer gives the tokenizer that a flag names; texts are read for "train" alone.
func openTokenizer(ctx context.Context, name string, vocabulary int, texts iter.Seq2[string, error]) (*bpe.Tokenizer, error) {
	switch name {
	case "gpt2":
		return bpe.GPT2(), nil
	case "bytes":
		return bpe.Bytes(), nil
	case "train":
		return bpe.Train(ctx, texts, bpe.TrainOptions{VocabSize: vocabulary})
	}
	if dir, _, err := checkpoint.Resolve(name, checkpoint.Best); err == nil {
		name = dir
	}
	return bpe.Load(name)
}

func printManifest(s streams, p *prepareFlags, m *data.Manifest) error {
	if m.BadRows.Rows > 0 {
		fmt.Fprintln(s.err, m.BadRows.String())
	}
	if p.asJSON {
		return writeJSON(s.out, m)
	}
	fmt.Fprintf(s.out, "%s: task %s, tokenizer %s of %d tokens\n", p.Out, m.Task, m.Tokenizer.Name, m.Tokenizer.VocabularySize)
	for _, name := range []string{"train", "valid", "test"} {
		split := m.Splits[name]
		if split == nil {
			continue
		}
		fmt.Fprintf(s.out, "  %-5s %8d documents %10d tokens, median length %d, longest %d\n", name, split.Documents, split.Tokens, split.Length.Median, split.Length.Longest)
		var counts []string
		for _, label := range m.Labels {
			counts = append(counts, fmt.Sprintf("%s %d", label, split.LabelCounts[label]))
		}
		if len(counts) > 0 && len(counts) <= 20 {
			fmt.Fprintf(s.out, "        %s\n", strings.Join(counts, ", "))
		}
	}
	if d := m.Duplicates; d != nil && d.ValidInTrain+d.TestInTrain+d.TestInValid > 0 {
		fmt.Fprintf(s.out, "  duplicates: %d validation and %d test texts are in training too, %d test texts in validation\n", d.ValidInTrain, d.TestInTrain, d.TestInValid)
	}
	for _, note := range slices.Compact(slices.Clone(m.Notes)) {
		fmt.Fprintf(s.out, "  note: %s\n", note)
	}
	return nil
}
