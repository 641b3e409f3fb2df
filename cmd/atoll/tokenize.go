package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"atoll/model/bpe"
	"atoll/trainer/data"
)

// tokenizeFlags are the settings of atoll tokenize.
type tokenizeFlags struct {
	inputFlags
	tokenizer string
	decode    bool
	asJSON    bool

	train     []string
	vocab     int
	out       string
	overwrite bool
}

func newTokenize(s streams) *cobra.Command {
	f := &tokenizeFlags{inputFlags: inputFlags{anyBytes: true}}
	c := &cobra.Command{
		Use:   "tokenize --tokenizer gpt2|bytes|DIR [FILE|-]",
		Short: "Turn texts into token ids, ids into texts, or train a tokenizer",
		Long: `Reads texts, one a line, or CSV, TSV or JSON lines {"text":...}, and writes {"ids":[...]} for each, in order. Lines of text may` + "\n" +
			"hold any bytes and end in LF or CRLF. --decode turns JSON lines {\"ids\":[...]} into the exact bytes of each text and a line feed.\n" +
			"--train learns a byte-level BPE from files or folders and writes it to --out.",
		Example: "  atoll tokenize --tokenizer gpt2 book.txt > ids.jsonl\n" +
			"  atoll tokenize --tokenizer gpt2 --decode ids.jsonl\n" +
			"  atoll tokenize --train corpus/ --vocab 8192 --out tokenizers/corpus",
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case len(f.train) > 0:
				return trainTokenizer(c.Context(), s, f, args)
			case f.out != "":
				return usage("tokenize: --out %s without --train: the results go to standard output", f.out)
			}
			if err := oneInput(c, args); err != nil {
				return err
			}
			return tokenize(c.Context(), s, f, args)
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.tokenizer, "tokenizer", "gpt2", "gpt2, bytes, or a directory with a tokenizer.json (a model is one)")
	flags.BoolVar(&f.decode, "decode", false, "ids in, texts out")
	f.inputFlags.add(flags)
	flags.StringSliceVar(&f.train, "train", nil, "files and folders to train on (further ones as arguments)")
	flags.IntVar(&f.vocab, "vocab", 8192, "vocabulary of the trained tokenizer: 257 or more")
	flags.StringVar(&f.out, "out", "", "folder to write the trained tokenizer to")
	flags.BoolVar(&f.overwrite, "overwrite", false, "replace the tokenizer in --out")
	flags.BoolVar(&f.asJSON, "json", false, `with --decode: write {"text":...} lines; with --train: describe the tokenizer; ids are JSON in any case`)
	withConfig(c)
	return c
}

func tokenize(ctx context.Context, s streams, f *tokenizeFlags, args []string) error {
	if f.tokenizer == "train" {
		return usage("tokenize: to train a tokenizer give --train FILE --out DIR")
	}
	tokenizer, err := openTokenizer(ctx, f.tokenizer, 0, nil)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if f.decode {
		f.format, f.columns = string(data.Text), nil // each line is parsed here
	}
	in, err := openInput(ctx, s, args, &f.inputFlags)
	if err != nil {
		return err
	}
	line := countLine{out: s.err, unit: "texts", hidden: isTerminal(s.out)}
	line.start()
	defer line.close()
	out, done := bufio.NewWriter(s.out), 0
	t := tokenWriter{tokenizer: tokenizer, out: out, flags: f, name: "standard input"}
	if len(args) == 1 && args[0] != "-" {
		t.name = args[0]
	}
	return in.each(ctx, func(c *chunk) error {
		if err := t.chunk(c, done); err != nil {
			out.Flush() // what came before the bad row; its error is the one to tell
			return err
		}
		done += len(c.texts)
		line.update(done, c.read, in.total)
		return out.Flush()
	})
}

// tokenWriter turns each row of the input into one line of the output.
type tokenWriter struct {
	tokenizer *bpe.Tokenizer
	out       *bufio.Writer
	flags     *tokenizeFlags
	name      string // of the input, for errors
	bytes     []byte
}

// chunk writes the lines of a chunk that has so many rows before it.
func (t *tokenWriter) chunk(c *chunk, before int) error {
	if t.flags.decode {
		for i, text := range c.texts {
			if err := t.decodeRow(text, c.bad[i], before+i+1); err != nil {
				return err
			}
		}
		return nil
	}
	i := -1
	return data.Encode(t.tokenizer, 0, slices.Values(c.texts), func(ids []int32) error {
		if i++; c.bad[i] != nil {
			return t.object("error", c.bad[i].Error())
		}
		return t.line(ids)
	})
}

func (t *tokenWriter) decodeRow(text string, bad *data.BadRow, number int) error {
	if bad != nil {
		return t.object("error", bad.Error())
	}
	err := t.decode(text)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s:%d: %w", t.name, number, err)
	if t.flags.onBadRow == "skip" {
		return t.object("error", err.Error())
	}
	return err
}

func (t *tokenWriter) line(ids []int32) error {
	t.bytes = append(t.bytes[:0], `{"ids":[`...)
	for i, id := range ids {
		if i > 0 {
			t.bytes = append(t.bytes, ',')
		}
		t.bytes = strconv.AppendInt(t.bytes, int64(id), 10)
	}
	t.bytes = append(t.bytes, "]}\n"...)
	_, err := t.out.Write(t.bytes)
	return err
}

func (t *tokenWriter) decode(line string) error {
	var object struct {
		IDs *[]int32 `json:"ids"`
	}
	if err := json.Unmarshal([]byte(line), &object); err != nil || object.IDs == nil {
		return fmt.Errorf(`got %.60q, want an object such as {"ids":[15496,995]}: write one a line`, line)
	}
	var err error
	if t.bytes, err = t.tokenizer.Decode(t.bytes[:0], *object.IDs); err != nil {
		return err
	}
	if t.flags.asJSON {
		return t.object("text", string(t.bytes))
	}
	_, err = t.out.Write(append(t.bytes, '\n'))
	return err
}

// object writes one JSON object with one field.
func (t *tokenWriter) object(name, value string) error {
	encoder := json.NewEncoder(t.out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(map[string]string{name: value})
}

// trained is what tokenize --train --json prints.
type trained struct {
	Out        string `json:"out"`
	Vocabulary int    `json:"vocabulary_size"`
	Wanted     int    `json:"vocabulary_wanted"`
}

func trainTokenizer(ctx context.Context, s streams, f *tokenizeFlags, args []string) error {
	if f.out == "" {
		return usage("tokenize --train %s: nowhere to write to: want --out DIR", strings.Join(f.train, " "))
	}
	if f.decode {
		return usage("tokenize: --train and --decode exclude each other: give one of them")
	}
	if f.vocab < 257 {
		return usage("--vocab %d: want at least 257, for 256 bytes and the end of text", f.vocab)
	}
	if path := filepath.Join(f.out, "tokenizer.json"); fileExists(path) && !f.overwrite {
		return fmt.Errorf("%s exists: pass --overwrite to replace it, or another --out", path)
	}
	tokenizer, err := learn(ctx, s, f, append(f.train, args...))
	if err != nil {
		return err
	}
	if err := tokenizer.Save(f.out); err != nil {
		return err
	}
	if n := tokenizer.VocabSize(); n < f.vocab {
		fmt.Fprintf(s.err, "atoll: warning: the texts are too small for %d tokens: the tokenizer has %d\n", f.vocab, n)
	}
	if f.asJSON {
		return writeJSON(s.out, trained{f.out, tokenizer.VocabSize(), f.vocab})
	}
	_, err = fmt.Fprintf(s.out, "%s: %d tokens\n", f.out, tokenizer.VocabSize())
	return err
}

// learn trains on every text of the files, read as prepare reads them.
func learn(ctx context.Context, s streams, f *tokenizeFlags, files []string) (*bpe.Tokenizer, error) {
	line := importLine{out: s.err}
	defer line.close()
	im, err := data.Scan(ctx, data.Options{Inputs: files, Text: f.columns, Format: data.Format(f.format), OnBadRow: data.BadRowPolicy(f.onBadRow),
		Split: data.SplitRule{Fractions: [3]float64{1, 0, 0}}, Progress: line.update})
	var tokenizer *bpe.Tokenizer
	if err == nil {
		tokenizer, err = bpe.Train(ctx, im.TrainingTexts(ctx), bpe.TrainOptions{VocabSize: f.vocab})
	}
	if ctx.Err() != nil {
		return nil, errInterrupted
	}
	return tokenizer, err
}
