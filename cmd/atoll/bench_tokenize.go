package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"

	"github.com/spf13/cobra"

	"atoll/model/bpe"
)

// tokenizeBench is what atoll bench tokenize prints.
type tokenizeBench struct {
	Tokenizer       string  `json:"tokenizer"`
	Text            string  `json:"text"` // where it came from
	Bytes           int     `json:"bytes"`
	Tokens          int     `json:"tokens"`
	Steps           int     `json:"steps"`
	BytesPerSecond  float64 `json:"bytes_per_second"` // on one thread
	TokensPerSecond float64 `json:"tokens_per_second"`
	DecodedBytes    float64 `json:"decoded_bytes_per_second"`
}

func (r tokenizeBench) String() string {
	return fmt.Sprintf("tokenizer %s, %s of %s, %d tokens, one thread, median of %d\nencode %.1f MB/s (%.0f tokens/s), decode %.1f MB/s", r.Tokenizer,
		showBytes(int64(r.Bytes)), r.Text, r.Tokens, r.Steps, r.BytesPerSecond/1e6, r.TokensPerSecond, r.DecodedBytes/1e6)
}

func newBenchTokenize(s streams) *cobra.Command {
	name, steps, asJSON := "gpt2", 5, false
	c := &cobra.Command{
		Use:     "tokenize [FILE]",
		Short:   "Encoding and decoding of a text with one thread",
		Long:    "Without FILE the text is 4 MB of GPT-2's words drawn at random, the shorter ids more often (Zipf's law).",
		Example: "  atoll bench tokenize --tokenizer gpt2 book.txt",
		Args:    oneInput,
		RunE: func(c *cobra.Command, args []string) error {
			if steps < 1 {
				return usage("--steps %d: want at least 1", steps)
			}
			r, err := benchTokenize(c.Context(), name, args, steps)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(s.out, r)
			}
			_, err = fmt.Fprintln(s.out, r)
			return err
		},
	}
	c.Flags().StringVar(&name, "tokenizer", name, "gpt2, bytes, or a directory with a tokenizer.json")
	c.Flags().IntVar(&steps, "steps", steps, "runs that are measured, after two to warm up; their median is given")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func benchTokenize(ctx context.Context, name string, args []string, steps int) (tokenizeBench, error) {
	r := tokenizeBench{Tokenizer: name, Text: "random words", Steps: steps}
	if name == "train" {
		return r, usage("--tokenizer train: want gpt2, bytes or a directory")
	}
	t, err := openTokenizer(ctx, name, 0, nil)
	if err != nil {
		return r, err
	}
	text := ""
	if len(args) == 1 {
		r.Text = args[0]
		content, err := os.ReadFile(args[0])
		if err != nil {
			return r, err
		}
		text = string(content)
	} else if text, err = randomWords(4 << 20); err != nil {
		return r, err
	}
	if text == "" {
		return r, fmt.Errorf("%s is empty: give a file with text", r.Text)
	}
	var ids []int32
	var decoded []byte
	encode, _, err := median(ctx, steps, func() error { ids = t.Encode(ids[:0], text); return nil })
	if err != nil {
		return r, err
	}
	decode, _, err := median(ctx, steps, func() (err error) { decoded, err = t.Decode(decoded[:0], ids); return err })
	r.Bytes, r.Tokens = len(text), len(ids)
	r.BytesPerSecond, r.TokensPerSecond, r.DecodedBytes = float64(r.Bytes)/encode, float64(r.Tokens)/encode, float64(r.Bytes)/decode
	return r, err
}

// randomWords is text of at least n bytes.
func randomWords(n int) (string, error) {
	t := bpe.GPT2()
	zipf := rand.NewZipf(rand.New(rand.NewPCG(1, 0)), 1.1, 20, uint64(t.EndOfText()-1))
	var text []byte
	var err error
	for len(text) < n && err == nil {
		text, err = t.Decode(text, []int32{int32(zipf.Uint64())})
	}
	return string(text), err
}
