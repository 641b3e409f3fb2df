package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"atoll/trainer/data"
)

// A chunk is handed on when it has this many texts or bytes, or when the next text would have to be waited for: enough to
// sort by length, small enough to stay in memory.
const (
	chunkTexts = 1024
	chunkBytes = 256 << 10
)

// inputFlags say how a stream of texts is read.
type inputFlags struct {
	format, onBadRow string
	columns          []string
	anyBytes         bool // of plain text lines; not a flag
}

func (f *inputFlags) add(flags *pflag.FlagSet) {
	flags.StringSliceVar(&f.columns, "text", nil, "column or field with the text: a name, or a number from 0 for a file without a header (default: text)")
	flags.StringVar(&f.format, "format", "", "text (one a line), csv, tsv or jsonl; default: by file name, else by the first byte")
	flags.StringVar(&f.onBadRow, "on-bad-row", "fail", `fail, or skip: write {"error":...} in place of a bad row and go on`)
}

func (f *inputFlags) validate() error {
	if f.onBadRow != "fail" && f.onBadRow != "skip" {
		return usage("--on-bad-row %s: want fail or skip", f.onBadRow)
	}
	switch data.Format(f.format) {
	case "", data.Text, data.CSV, data.TSV, data.JSONL:
		return nil
	}
	return usage("--format %s: want text, csv, tsv or jsonl", f.format)
}

// textInput is a file or standard input that is read ahead by a goroutine, never more than two chunks.
type textInput struct {
	chunks chan *chunk
	total  int64 // bytes of the file as stored; 0 where that is not known
}

// chunk is a run of texts in the order of the input.
type chunk struct {
	texts []string
	bad   []*data.BadRow // by text: nil, or why there is none
	read  int64          // bytes of the stored input read so far
	err   error          // io.EOF behind the last text, or what ended the reading
}

// badRows is how many rows of c have no text.
func (c *chunk) badRows() int {
	n := 0
	for _, bad := range c.bad {
		if bad != nil {
			n++
		}
	}
	return n
}

// openInput begins to read the file args names, or standard input where there is none. Reading ends with ctx.
func openInput(ctx context.Context, s streams, args []string, f *inputFlags) (*textInput, error) {
	if err := f.validate(); err != nil {
		return nil, err
	}
	o := data.TextOptions{Format: data.Format(f.format), Columns: f.columns, AnyBytes: f.anyBytes}
	in := &textInput{chunks: make(chan *chunk)}
	open := func() (*data.Texts, error) { return data.NewTexts("standard input", io.NopCloser(s.in), o) }
	if len(args) == 1 && args[0] != "-" {
		texts, err := data.OpenTexts(args[0], o)
		if err != nil {
			return nil, err
		}
		if info, err := os.Stat(args[0]); err == nil && info.Mode().IsRegular() {
			in.total = info.Size()
		}
		open = func() (*data.Texts, error) { return texts, nil }
	} else if isTerminal(s.in) {
		fmt.Fprintln(s.err, "reading standard input, one text a line; Ctrl-D ends it")
	}
	go in.fill(ctx, open, f.onBadRow == "skip")
	return in, nil
}

// fill runs in a goroutine, since a read from a terminal or a pipe cannot be interrupted.
func (in *textInput) fill(ctx context.Context, open func() (*data.Texts, error), skip bool) {
	defer close(in.chunks)
	texts, err := open()
	if err == nil {
		defer texts.Close()
	}
	for {
		c := &chunk{err: err}
		if err == nil {
			c = nextChunk(texts, skip)
		}
		select {
		case in.chunks <- c:
		case <-ctx.Done():
			return
		}
		if c.err != nil {
			return
		}
	}
}

// nextChunk reads texts until the chunk is full or the input ends or pauses.
func nextChunk(texts *data.Texts, skip bool) *chunk {
	c := &chunk{}
	for bytes := 0; len(c.texts) < chunkTexts && bytes < chunkBytes; {
		text, _, err := texts.Next()
		var bad *data.BadRow
		switch {
		case errors.As(err, &bad) && skip:
		case bad != nil:
			c.err = fmt.Errorf("%w; or pass --on-bad-row skip", err)
		default:
			c.err = err
		}
		if c.err != nil {
			break
		}
		c.texts, c.bad = append(c.texts, text), append(c.bad, bad)
		bytes += len(text)
		if !texts.Ready() {
			break
		}
	}
	c.read = texts.BytesRead()
	return c
}

// each hands the chunks to use, in order, until the input or ctx ends.
func (in *textInput) each(ctx context.Context, use func(*chunk) error) error {
	for {
		select {
		case <-ctx.Done():
			return errInterrupted
		case c, open := <-in.chunks:
			if !open {
				return errInterrupted
			}
			if len(c.texts) > 0 {
				if err := use(c); err != nil {
					return err
				}
			}
			if c.err == io.EOF {
				return nil
			}
			if c.err != nil {
				return c.err
			}
		}
	}
}

// oneInput checks the arguments of a command that reads a file or standard input.
func oneInput(c *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usage("%s: %d files, want one, or none or - for standard input", c.CommandPath(), len(args))
	}
	return nil
}
