package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"atoll/model/bpe"
	"atoll/trainer/data"
)

// tokenizeBench is what atoll bench tokenize prints.
type tokenizeBench struct {
	Tokenizer       string  `json:"tokenizer"`
	Text            string  `json:"text"` // where it came from
	Bytes           int     `json:"bytes"`
	Tokens          int     `json:"tokens"`
	Steps           int     `json:"steps"`
	Threads         int     `json:"threads"`
	BytesPerSecond  float64 `json:"bytes_per_second"` // on all threads
	TokensPerSecond float64 `json:"tokens_per_second"`
	OneThread       float64 `json:"one_thread_bytes_per_second"`
	DecodedBytes    float64 `json:"decoded_bytes_per_second"` // on one thread
}

func (r tokenizeBench) String() string {
	return fmt.Sprintf("tokenizer %s, %s of %s, %d tokens, median of %d\nencode %.1f MB/s (%.0f tokens/s) with --threads %d, %.1f MB/s on one thread; decode %.1f MB/s",
		r.Tokenizer, showBytes(int64(r.Bytes)), r.Text, r.Tokens, r.Steps, r.BytesPerSecond/1e6, r.TokensPerSecond, r.Threads, r.OneThread/1e6, r.DecodedBytes/1e6)
}

func newBenchTokenize(s streams) *cobra.Command {
	f := &tokenizeBench{Tokenizer: "gpt2", Text: "random words", Steps: 5}
	asJSON := false
	c := &cobra.Command{
		Use:   "tokenize [FILE]",
		Short: "Encoding and decoding of a text",
		Long: "Encodes documents of about 64 KB, cut at line ends, as atoll prepare does it. Without FILE the text is 4 MB of GPT-2's words drawn at\n" +
			"random, the shorter ids more often (Zipf's law).",
		Example: "  atoll bench tokenize --tokenizer gpt2 book.txt",
		Args:    oneInput,
		RunE: func(c *cobra.Command, args []string) error {
			if err := benchTokenize(c.Context(), f, args); err != nil {
				return err
			}
			if asJSON {
				return writeJSON(s.out, f)
			}
			_, err := fmt.Fprintln(s.out, f)
			return err
		},
	}
	c.Flags().StringVar(&f.Tokenizer, "tokenizer", f.Tokenizer, "gpt2, bytes, or a directory with a tokenizer.json")
	c.Flags().IntVar(&f.Steps, "steps", f.Steps, "runs that are measured, after two to warm up; their median is given")
	c.Flags().IntVar(&f.Threads, "threads", 0, "goroutines that encode; 0: one for each processor")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func benchTokenize(ctx context.Context, r *tokenizeBench, args []string) error {
	switch {
	case r.Steps < 1 || r.Threads < 0:
		return usage("--steps %d --threads %d: want at least 1 step and 0 threads", r.Steps, r.Threads)
	case r.Tokenizer == "train":
		return usage("--tokenizer train: want gpt2, bytes or a directory")
	case r.Threads == 0:
		r.Threads = runtime.GOMAXPROCS(0)
	}
	t, err := openTokenizer(ctx, r.Tokenizer, 0, nil)
	if err != nil {
		return err
	}
	text, err := r.read(args)
	if err != nil {
		return err
	}
	documents := cutAtLines(text, 64<<10)
	var ids []int32
	encode := func(threads int) func() error {
		return func() error {
			ids = ids[:0]
			return data.Encode(t, threads, slices.Values(documents), func(part []int32) error {
				ids = append(ids, part...)
				return nil
			})
		}
	}
	one, _, err := median(ctx, r.Steps, encode(1))
	if err != nil {
		return err
	}
	all, _, err := median(ctx, r.Steps, encode(r.Threads))
	if err != nil {
		return err
	}
	var decoded []byte
	decode, _, err := median(ctx, r.Steps, func() (err error) { decoded, err = t.Decode(decoded[:0], ids); return err })
	r.Bytes, r.Tokens = len(text), len(ids)
	r.BytesPerSecond, r.TokensPerSecond = float64(r.Bytes)/all, float64(r.Tokens)/all
	r.OneThread, r.DecodedBytes = float64(r.Bytes)/one, float64(r.Bytes)/decode
	return err
}

// read gives the text of the file that args name, or random words.
func (r *tokenizeBench) read(args []string) (string, error) {
	if len(args) == 0 {
		return randomWords(4 << 20)
	}
	r.Text = args[0]
	content, err := os.ReadFile(args[0])
	if err == nil && len(content) == 0 {
		err = fmt.Errorf("%s is empty: give a file with text", r.Text)
	}
	return string(content), err
}

// cutAtLines cuts a text into pieces of whole lines, of at least n bytes but for the last.
func cutAtLines(text string, n int) []string {
	var pieces []string
	for len(text) > n {
		end := strings.IndexByte(text[n:], '\n') + n + 1
		if end == n {
			break
		}
		pieces, text = append(pieces, text[:end]), text[end:]
	}
	return append(pieces, text)
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
