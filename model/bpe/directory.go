package bpe

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Load reads a tokenizer from a tokenizer.json, or from a directory that holds one, or from one that holds vocab.json
// and merges.txt only, as GPT-2 directories from before 2020 do. In a directory, the eos_token of tokenizer_config.json
// is the end-of-text token where it names one; elsewhere <|endoftext|> is. What is refused is said at Parse.
func Load(path string) (*Tokenizer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w: want a directory with tokenizer.json, or the file itself", err)
	}
	if !info.IsDir() {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("tokenizer: %w", err)
		}
		return Parse(path, data)
	}
	eot, err := readEndOfText(filepath.Join(path, "tokenizer_config.json"))
	if err != nil {
		return nil, err
	}
	name := filepath.Join(path, "tokenizer.json")
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return loadVocabMerges(path, eot)
	}
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return parse(name, data, eot)
}

// readEndOfText gives the content of the token that tokenizer_config.json calls eos_token.
func readEndOfText(name string) (string, error) {
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return endOfText, nil
	}
	if err != nil {
		return "", fmt.Errorf("tokenizer: %w", err)
	}
	var config struct {
		EOS json.RawMessage `json:"eos_token"`
	}
	if err := json.Unmarshal(data, &config); err != nil {
		return "", fmt.Errorf("%s: not a tokenizer_config.json: %w: mend or remove it", name, err)
	}
	if config.EOS == nil || string(config.EOS) == "null" {
		return endOfText, nil
	}
	var token struct{ Content string }
	if json.Unmarshal(config.EOS, &token.Content) != nil && json.Unmarshal(config.EOS, &token) != nil || token.Content == "" {
		return "", fmt.Errorf("%s: eos_token is %s, want a string or an object with content: mend or remove it", name, config.EOS)
	}
	return token.Content, nil
}

// loadVocabMerges reads vocab.json and merges.txt. The end-of-text token becomes an added token, as Transformers has it.
func loadVocabMerges(dir, eot string) (*Tokenizer, error) {
	vocabName, mergesName := filepath.Join(dir, "vocab.json"), filepath.Join(dir, "merges.txt")
	vocab, err := os.ReadFile(vocabName)
	if err != nil {
		return nil, fmt.Errorf("%s holds neither tokenizer.json nor vocab.json with merges.txt: %w: "+
			"name a directory that a tokenizer was saved to", dir, err)
	}
	merges, err := os.ReadFile(mergesName)
	if err != nil {
		return nil, fmt.Errorf("%s is there, but %w: both are needed", vocabName, err)
	}
	var f file
	if err := json.Unmarshal(vocab, &f.Model.Vocab); err != nil {
		return nil, fmt.Errorf("%s: %w: want an object of tokens and ids", vocabName, err)
	}
	if f.Model.Merges, err = parseMerges(mergesName, string(merges)); err != nil {
		return nil, err
	}
	if id, ok := f.Model.Vocab[eot]; ok {
		f.AddedTokens = []fileAdded{{ID: id, Content: eot, Special: true}}
	}
	t, err := f.tokenizer(eot)
	if err != nil {
		return nil, fmt.Errorf("%s with %s: %w", vocabName, mergesName, err)
	}
	return t, nil
}

// parseMerges reads merges.txt: one rule a line, two tokens with a space between; a first line may begin with #version.
func parseMerges(name, text string) ([]fileMerge, error) {
	var merges []fileMerge
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if line == "" || number == 1 && strings.HasPrefix(line, "#version") {
			continue
		}
		pair := strings.Split(line, " ")
		if len(pair) != 2 {
			return nil, fmt.Errorf("%s:%d: %q has %d parts, want 2 tokens with one space between", name, number, line, len(pair))
		}
		merges = append(merges, fileMerge(pair))
	}
	return merges, nil
}
