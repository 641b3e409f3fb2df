package bpe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxVocab and maxRules bound what a file may hold, so that a damaged one cannot ask for all memory, and a pair with its
// rank fits in 64 bits.
const (
	maxVocab = 1 << 21
	maxRules = 1<<rankBits - 2
)

// file is a Hugging Face tokenizer.json, version 1.0, as far as it matters to a byte-level BPE. Truncation, padding and
// offsets are left to whoever makes batches and are not read.
type file struct {
	Version       string      `json:"version"`
	AddedTokens   []fileAdded `json:"added_tokens"`
	Normalizer    *component  `json:"normalizer"`
	PreTokenizer  *component  `json:"pre_tokenizer"`
	PostProcessor *component  `json:"post_processor"`
	Decoder       *component  `json:"decoder"`
	Model         fileModel   `json:"model"`
}

// component is a part of the pipeline. UseRegex is true where it is missing.
type component struct {
	Type           string `json:"type"`
	AddPrefixSpace bool   `json:"add_prefix_space"`
	UseRegex       *bool  `json:"use_regex"`

	Single []templatePiece `json:"single"` // TemplateProcessing: what becomes of one text
}

// templatePiece is the text or a special token beside it.
type templatePiece struct {
	Sequence *struct{} `json:"Sequence"`
}

// addsNothing reports whether a post-processor leaves the ids of a text as they are: Transformers 5 saves GPT-2 with a
// template of the text alone.
func (c *component) addsNothing() bool {
	switch {
	case c == nil || c.Type == "ByteLevel":
		return true
	case c.Type == "TemplateProcessing":
		return len(c.Single) == 1 && c.Single[0].Sequence != nil
	}
	return false
}

type fileAdded struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

type fileModel struct {
	Type                    string           `json:"type"` // missing in the oldest files
	Dropout                 *float64         `json:"dropout"`
	ContinuingSubwordPrefix string           `json:"continuing_subword_prefix"`
	EndOfWordSuffix         string           `json:"end_of_word_suffix"`
	ByteFallback            bool             `json:"byte_fallback"`
	IgnoreMerges            bool             `json:"ignore_merges"`
	Vocab                   map[string]int32 `json:"vocab"`
	Merges                  []fileMerge      `json:"merges"`
}

// fileMerge is a merge rule, written "a b" or, since tokenizers 0.20, ["a","b"].
type fileMerge [2]string

// UnmarshalJSON reads either form.
func (m *fileMerge) UnmarshalJSON(data []byte) error {
	pair, plain := plainPair(data)
	switch {
	case plain:
	case data[0] != '[':
		var line string
		if err := json.Unmarshal(data, &line); err != nil {
			return err
		}
		pair = strings.Split(line, " ")
	default:
		if err := json.Unmarshal(data, &pair); err != nil {
			return err
		}
	}
	if len(pair) != 2 {
		return fmt.Errorf("merge rule %s has %d parts, want 2", data, len(pair))
	}
	*m = fileMerge(pair)
	return nil
}

// plainPair reads a rule in which no character is escaped, as nearly all are, without a second decoder: 50,000 of them are most of
// the time that a tokenizer takes to load.
func plainPair(data []byte) (pair []string, ok bool) {
	if bytes.IndexByte(data, '\\') >= 0 || !utf8.Valid(data) {
		return nil, false
	}
	switch part := strings.Split(string(data), `"`); {
	case len(part) == 3 && part[0] == "":
		return strings.Split(part[1], " "), true
	case len(part) == 5 && strings.TrimSpace(part[2]) == ",":
		return []string{part[1], part[3]}, true
	}
	return nil, false
}

// Parse reads a Hugging Face tokenizer.json; name is what errors call it. The file must describe GPT-2's kind of
// tokenizer: model BPE, pre-tokenizer and decoder ByteLevel with GPT-2's pattern, all 256 bytes in the vocabulary, and a
// token <|endoftext|>. What it asks for beyond that is refused, never left out.
func Parse(name string, data []byte) (*Tokenizer, error) {
	return parse(name, data, endOfText)
}

// parse is Parse with the end-of-text token given by its content.
func parse(name string, data []byte, eot string) (*Tokenizer, error) {
	var f file
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("%s: not a tokenizer.json: %w: write it again with Hugging Face's save or atoll tokenize --train", name, err)
	}
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	t, err := f.tokenizer(eot)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return t, nil
}

// check refuses what GPT-2's tokenizer does not do.
func (f *file) check() error {
	const advice = "atoll reads byte-level BPE as GPT-2 has it; use such a tokenizer, or train one with atoll tokenize --train"
	yes := func(b *bool) bool { return b == nil || *b }
	m, pre := &f.Model, f.PreTokenizer
	switch {
	case f.Version != "1.0":
		return fmt.Errorf(`version %q, want "1.0": %s`, f.Version, advice)
	case m.Type != "BPE" && m.Type != "":
		return fmt.Errorf("model type %q, want BPE: %s", m.Type, advice)
	case m.Vocab == nil:
		return fmt.Errorf("model.vocab is missing, want an object of tokens and ids: %s", advice)
	case f.Normalizer != nil:
		return fmt.Errorf("normalizer %q, want null: %s", f.Normalizer.Type, advice)
	case pre == nil || pre.Type != "ByteLevel":
		return fmt.Errorf("pre_tokenizer %s, want ByteLevel: %s", pre, advice)
	case pre.AddPrefixSpace:
		return fmt.Errorf("pre_tokenizer ByteLevel has add_prefix_space true, want false, as GPT-2 has it: %s", advice)
	case !yes(pre.UseRegex):
		return fmt.Errorf("pre_tokenizer ByteLevel has use_regex false, want true, as GPT-2 has it: %s", advice)
	case !f.PostProcessor.addsNothing():
		return fmt.Errorf("post_processor %s adds tokens, want ByteLevel, null or a template of the text alone: %s", f.PostProcessor, advice)
	case f.Decoder != nil && f.Decoder.Type != "ByteLevel":
		return fmt.Errorf("decoder %s, want ByteLevel: %s", f.Decoder, advice)
	case m.Dropout != nil && *m.Dropout != 0:
		return fmt.Errorf("model.dropout %v, want null: %s", *m.Dropout, advice)
	case m.ContinuingSubwordPrefix != "" || m.EndOfWordSuffix != "":
		return fmt.Errorf("model has continuing_subword_prefix %q and end_of_word_suffix %q, want neither: %s",
			m.ContinuingSubwordPrefix, m.EndOfWordSuffix, advice)
	case m.ByteFallback || m.IgnoreMerges:
		return fmt.Errorf("model has byte_fallback %t and ignore_merges %t, want false: %s", m.ByteFallback, m.IgnoreMerges, advice)
	}
	return nil
}

// String names a component in an error.
func (c *component) String() string {
	if c == nil {
		return "null"
	}
	return fmt.Sprintf("%q", c.Type)
}
