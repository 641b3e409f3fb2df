// Package model describes a GPT-2: its sizes, its parameters and how they start.
//
// In comes a Hugging Face config.json (Parse) or a well-known name (Named); out go a validated Config, the list of its
// parameters under their Hugging Face names (Config.Params) and their initial values (Initialize). Errors appear only
// in Parse, Named, Validate and JSON, and each says what was got, what was wanted and what to do; a Config that passed
// Validate makes every other function here succeed. The package holds no weights and depends on the standard library only.
package model

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// NoToken stands in Config.EndOfText and Config.PadToken for a vocabulary without such a token; null in config.json.
const NoToken = -1

// Upper bounds of the sizes: far above any GPT-2, low enough that no product of them overflows an int.
const (
	maxVocab     = 1 << 24
	maxPositions = 1 << 20
	maxWidth     = 1 << 16
	maxLayers    = 1 << 10
	maxInner     = 1 << 18
	maxLabels    = 1 << 20
)

// Problem is what the model's head answers.
type Problem int

const (
	LanguageModel Problem = iota // the next token, over the vocabulary; the head is tied to the token embedding
	SingleLabel                  // exactly one of the labels: softmax and cross-entropy
	MultiLabel                   // any subset of the labels: one sigmoid and binary cross-entropy each
)

// String returns the word the command line uses: "lm", "classify" or "multilabel".
func (p Problem) String() string {
	switch p {
	case LanguageModel:
		return "lm"
	case SingleLabel:
		return "classify"
	case MultiLabel:
		return "multilabel"
	}
	return fmt.Sprintf("Problem(%d)", int(p))
}

// Config is a Hugging Face GPT-2 configuration. Comments give the key in config.json.
// The zero value is not valid: start from Named or Parse.
type Config struct {
	Vocab     int // vocab_size: number of token ids
	Positions int // n_positions: longest sequence, in tokens
	Width     int // n_embd: floats per token in the residual stream; a multiple of Heads
	Layers    int // n_layer: number of blocks
	Heads     int // n_head: attention heads per block
	Inner     int // n_inner: floats per token inside the MLP; null in the file means 4*Width

	Epsilon      float32 // layer_norm_epsilon, added to the variance; above 0
	EmbdDropout  float32 // embd_pdrop, in [0, 1)
	ResidDropout float32 // resid_pdrop, in [0, 1)
	AttnDropout  float32 // attn_pdrop, in [0, 1)
	InitRange    float32 // initializer_range: standard deviation of the initial weights; above 0

	EndOfText int // eos_token_id (written as bos_token_id too), or NoToken
	PadToken  int // pad_token_id, or NoToken

	Labels  []string // id2label, in order of id; empty for a language model
	Problem Problem  // problem_type and architectures
}

// named lists the sizes known by name; everything else is as in GPT-2 small.
var named = []struct {
	name                            string
	positions, width, layers, heads int
}{
	{"gpt2", 1024, 768, 12, 12},
	{"gpt2-medium", 1024, 1024, 24, 16},
	{"gpt2-large", 1024, 1280, 36, 20},
	{"gpt2-xl", 1024, 1600, 48, 25},
	{"mini", 256, 128, 4, 4},
}

// Named returns the language model known as gpt2, gpt2-medium, gpt2-large, gpt2-xl or mini, with GPT-2's vocabulary.
func Named(name string) (Config, error) {
	known := make([]string, len(named))
	for i, n := range named {
		known[i] = n.name
		if n.name != name {
			continue
		}
		c := small()
		c.Positions, c.Width, c.Layers, c.Heads, c.Inner = n.positions, n.width, n.layers, n.heads, 4*n.width
		return c, nil
	}
	return Config{}, fmt.Errorf("model %q is not known, want one of %s: name one of them, or give a config.json as FILE.json",
		name, strings.Join(known, ", "))
}

// small returns GPT-2 small (124M), which also stands for whatever a config.json leaves out.
func small() Config {
	return Config{
		Vocab: 50257, Positions: 1024, Width: 768, Layers: 12, Heads: 12, Inner: 3072,
		Epsilon: 1e-5, EmbdDropout: 0.1, ResidDropout: 0.1, AttnDropout: 0.1, InitRange: 0.02,
		EndOfText: 50256, PadToken: NoToken,
	}
}

// Validate returns nil if a model can be built from c, else an error naming the key of config.json that is wrong.
func (c Config) Validate() error {
	for _, s := range []struct {
		key      string
		got, max int
	}{
		{"vocab_size", c.Vocab, maxVocab}, {"n_positions", c.Positions, maxPositions}, {"n_embd", c.Width, maxWidth},
		{"n_layer", c.Layers, maxLayers}, {"n_head", c.Heads, maxWidth}, {"n_inner", c.Inner, maxInner},
	} {
		if s.got < 1 || s.got > s.max {
			return fmt.Errorf("%s: got %d, want 1 to %d: correct it", s.key, s.got, s.max)
		}
	}
	if c.Width%c.Heads != 0 {
		return fmt.Errorf("n_head: got %d heads for n_embd %d, want a divisor of it: change one of the two", c.Heads, c.Width)
	}
	if err := c.validateFloats(); err != nil {
		return err
	}
	if c.EndOfText < NoToken || c.EndOfText >= c.Vocab {
		return fmt.Errorf("eos_token_id: got %d, want 0 to %d (vocab_size-1) or null: correct one of the two", c.EndOfText, c.Vocab-1)
	}
	if c.PadToken < NoToken || c.PadToken >= c.Vocab {
		return fmt.Errorf("pad_token_id: got %d, want 0 to %d (vocab_size-1) or null: correct one of the two", c.PadToken, c.Vocab-1)
	}
	return c.validateLabels()
}

// validateFloats checks the real-valued settings; the comparisons are written so that NaN fails them.
func (c Config) validateFloats() error {
	for _, s := range []struct {
		key string
		got float32
	}{{"layer_norm_epsilon", c.Epsilon}, {"initializer_range", c.InitRange}} {
		if !(s.got > 0 && s.got <= math.MaxFloat32) {
			return fmt.Errorf("%s: got %v, want a number above 0 in float32: correct it", s.key, s.got)
		}
	}
	for _, s := range []struct {
		key string
		got float32
	}{{"embd_pdrop", c.EmbdDropout}, {"resid_pdrop", c.ResidDropout}, {"attn_pdrop", c.AttnDropout}} {
		if !(s.got >= 0 && s.got < 1) {
			return fmt.Errorf("%s: got %v, want 0 up to but not including 1: correct it", s.key, s.got)
		}
	}
	return nil
}

func (c Config) validateLabels() error {
	fewest := 0
	switch c.Problem {
	case LanguageModel:
		if len(c.Labels) != 0 {
			return fmt.Errorf("id2label: got %d labels for a language model, want none: make it a classifier, or drop them", len(c.Labels))
		}
		return nil
	case SingleLabel:
		fewest = 2
	case MultiLabel:
		fewest = 1
	default:
		return fmt.Errorf("problem: got %v, want lm, classify or multilabel: correct it", c.Problem)
	}
	if len(c.Labels) < fewest || len(c.Labels) > maxLabels {
		return fmt.Errorf("id2label: got %d labels, want %d to %d for %v: give every class a label", len(c.Labels), fewest, maxLabels, c.Problem)
	}
	seen := make(map[string]int, len(c.Labels))
	for i, label := range c.Labels {
		if label == "" || !utf8.ValidString(label) {
			return fmt.Errorf("id2label: label %d is %q, want non-empty UTF-8 text: rename it", i, label)
		}
		if j, dup := seen[label]; dup {
			return fmt.Errorf("id2label: labels %d and %d are both %q, want distinct names: rename one", j, i, label)
		}
		seen[label] = i
	}
	return nil
}
