package bpe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// MarshalJSON writes the tokenizer as a Hugging Face tokenizer.json: tokens in the order of their ids, merge rules in
// the form "a b", which every version of Hugging Face tokenizers reads.
func (t *Tokenizer) MarshalJSON() ([]byte, error) {
	vocab, written, err := t.writeVocab()
	if err != nil {
		return nil, err
	}
	merges := make([]string, len(t.rules))
	for k, r := range t.rules {
		merges[k] = written[r.left] + " " + written[r.right]
	}
	added := make([]fileAdded, len(t.added))
	for i, a := range t.added {
		added[i] = fileAdded{ID: a.id, Content: a.content, Normalized: !a.special, Special: a.special}
	}
	byteLevel := map[string]any{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}
	type model struct {
		Type                    string          `json:"type"`
		Dropout                 *float64        `json:"dropout"`
		UnknownToken            *string         `json:"unk_token"`
		ContinuingSubwordPrefix *string         `json:"continuing_subword_prefix"`
		EndOfWordSuffix         *string         `json:"end_of_word_suffix"`
		FuseUnknown             bool            `json:"fuse_unk"`
		ByteFallback            bool            `json:"byte_fallback"`
		IgnoreMerges            bool            `json:"ignore_merges"`
		Vocab                   json.RawMessage `json:"vocab"`
		Merges                  []string        `json:"merges"`
	}
	return marshal(struct {
		Version       string         `json:"version"`
		Truncation    any            `json:"truncation"`
		Padding       any            `json:"padding"`
		AddedTokens   []fileAdded    `json:"added_tokens"`
		Normalizer    any            `json:"normalizer"`
		PreTokenizer  map[string]any `json:"pre_tokenizer"`
		PostProcessor map[string]any `json:"post_processor"`
		Decoder       map[string]any `json:"decoder"`
		Model         model          `json:"model"`
	}{
		Version: "1.0", AddedTokens: added, PreTokenizer: byteLevel, PostProcessor: byteLevel, Decoder: byteLevel,
		Model: model{Type: "BPE", Vocab: vocab, Merges: merges},
	})
}

// writeVocab gives the vocabulary as a JSON object in the order of ids, and each token as it is written there.
func (t *Tokenizer) writeVocab() (object []byte, written []string, err error) {
	written = make([]string, len(t.tokens))
	for id, token := range t.tokens {
		written[id] = alphabet().encode(token)
	}
	for _, a := range t.added {
		written[a.id] = a.content
	}
	var b bytes.Buffer
	for id, token := range written {
		if token == "" {
			continue
		}
		key, err := marshal(token)
		if err != nil {
			return nil, nil, err
		}
		fmt.Fprintf(&b, ",%s:%d", bytes.TrimSpace(key), id)
	}
	object = append(b.Bytes(), '}')
	object[0] = '{'
	return object, written, nil
}

// marshal is json.Marshal with two spaces of indentation, and with < and > left as they are.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}

// Save writes tokenizer.json and tokenizer_config.json into a directory, which it makes if need be, so that Load and
// Transformers' AutoTokenizer read it. Files that are there are replaced, each at once.
func (t *Tokenizer) Save(dir string) error {
	tokenizer, err := t.MarshalJSON()
	if err != nil {
		return fmt.Errorf("tokenizer: %w", err)
	}
	eot := t.tokens[t.eot]
	config, err := marshal(map[string]any{
		"tokenizer_class": "GPT2TokenizerFast", "add_prefix_space": false, "clean_up_tokenization_spaces": false,
		"bos_token": eot, "eos_token": eot, "unk_token": eot,
	})
	if err != nil {
		return fmt.Errorf("tokenizer: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("tokenizer: %w: name a directory that can be written", err)
	}
	if err := replace(filepath.Join(dir, "tokenizer.json"), tokenizer); err != nil {
		return err
	}
	return replace(filepath.Join(dir, "tokenizer_config.json"), config)
}

// replace writes a file beside its name, syncs it, and renames it into place.
func replace(name string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".tokenizer-*")
	if err != nil {
		return fmt.Errorf("tokenizer: %w: name a directory that can be written", err)
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
			err = fmt.Errorf("%s: %w: make room, or name another directory", name, err)
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Chmod(f.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	return err
}
