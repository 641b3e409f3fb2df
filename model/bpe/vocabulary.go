package bpe

import (
	"errors"
	"fmt"
)

// tokenizer makes the tokenizer that a checked file describes; eot is the content of its end-of-text token.
func (f *file) tokenizer(eot string) (*Tokenizer, error) {
	added, err := f.added()
	if err != nil {
		return nil, err
	}
	tokens, err := f.tokens()
	if err != nil {
		return nil, err
	}
	rules, err := f.rules()
	if err != nil {
		return nil, err
	}
	if err := checkBytes(f.Model.Vocab); err != nil {
		return nil, err
	}
	id, ok := f.Model.Vocab[eot]
	for _, a := range added {
		if a.content == eot {
			id, ok = a.id, true
		}
	}
	if !ok {
		return nil, fmt.Errorf("no token %q to separate documents: add it as a special token, or name the one "+
			"in use as eos_token in the tokenizer_config.json beside this file", eot)
	}
	return newTokenizer(tokens, rules, added, id), nil
}

// added checks the added tokens.
func (f *file) added() ([]addedToken, error) {
	added := make([]addedToken, 0, len(f.AddedTokens))
	known := make(map[string]bool)
	for _, a := range f.AddedTokens {
		id, inVocab := f.Model.Vocab[a.Content]
		bytes, decodes := alphabet().decode(a.Content)
		switch {
		case a.Content == "":
			return nil, fmt.Errorf("the added token with id %d is empty: remove it", a.ID)
		case known[a.Content]:
			return nil, fmt.Errorf("the added token %q is there twice: remove one", a.Content)
		case inVocab && id != a.ID:
			return nil, fmt.Errorf("the added token %q has id %d, but %d in model.vocab: make them equal", a.Content, a.ID, id)
		case inVocab && decodes && bytes != a.Content:
			return nil, fmt.Errorf("the added token %q means the bytes %q in model.vocab: give it a content and an id of its own",
				a.Content, bytes)
		case a.LStrip || a.RStrip || a.SingleWord:
			return nil, fmt.Errorf("the added token %q has lstrip %t, rstrip %t, single_word %t, want false, as GPT-2 has it",
				a.Content, a.LStrip, a.RStrip, a.SingleWord)
		}
		known[a.Content] = true
		added = append(added, addedToken{a.ID, a.Content, a.Special})
	}
	return added, nil
}

// tokens gives the bytes of each id.
func (f *file) tokens() ([]string, error) {
	size := 0
	tokens := make([]string, 0, len(f.Model.Vocab)+len(f.AddedTokens))
	put := func(id int32, token string) error {
		if id < 0 || id >= maxVocab {
			return fmt.Errorf("token %q has id %d, want 0 to %d", token, id, maxVocab-1)
		}
		if size = max(size, int(id)+1); size > len(tokens) {
			tokens = append(tokens, make([]string, size-len(tokens))...)
		}
		if tokens[id] != "" && tokens[id] != token {
			return fmt.Errorf("tokens %q and %q have the same id %d: give each its own", tokens[id], token, id)
		}
		tokens[id] = token
		return nil
	}
	isAdded := make(map[string]bool)
	for _, a := range f.AddedTokens {
		if err := put(a.ID, a.Content); err != nil {
			return nil, err
		}
		isAdded[a.Content] = true
	}
	for written, id := range f.Model.Vocab {
		token, ok := written, true
		if !isAdded[written] {
			token, ok = alphabet().decode(written)
		}
		if !ok || token == "" {
			return nil, fmt.Errorf("model.vocab has %q, which is not written in the byte-level alphabet: "+
				"make it an added token, or use a byte-level vocabulary", written)
		}
		if err := put(id, token); err != nil {
			return nil, err
		}
	}
	return tokens, nil
}

// rules looks the merge rules up in the vocabulary.
func (f *file) rules() ([]rule, error) {
	vocab := f.Model.Vocab
	if n := len(f.Model.Merges); n > maxRules {
		return nil, fmt.Errorf("%d merge rules, want at most %d: use a smaller vocabulary", n, maxRules)
	}
	rules := make([]rule, len(f.Model.Merges))
	for k, m := range f.Model.Merges {
		for _, token := range []string{m[0], m[1], m[0] + m[1]} {
			if _, ok := vocab[token]; !ok || token == "" {
				return nil, fmt.Errorf("merge rule %d, %q %q, needs the token %q, which model.vocab lacks: "+
					"use the vocabulary and the rules of one training", k, m[0], m[1], token)
			}
		}
		rules[k] = rule{vocab[m[0]], vocab[m[1]], vocab[m[0]+m[1]]}
	}
	return rules, nil
}

// checkBytes refuses a vocabulary that could not encode every text.
func checkBytes(vocab map[string]int32) error {
	missing, first := 0, 0
	for b := 255; b >= 0; b-- {
		if _, ok := vocab[string(alphabet().char[b])]; !ok {
			missing, first = missing+1, b
		}
	}
	if missing == 0 {
		return nil
	}
	if missing == 256 {
		return errors.New("model.vocab holds none of the 256 bytes in the byte-level alphabet: use a byte-level vocabulary")
	}
	return fmt.Errorf("model.vocab lacks %d of the 256 bytes (the first is 0x%02X, written %q), so text that holds them could not "+
		"be encoded: train it with initial_alphabet=ByteLevel.alphabet(), or with atoll tokenize --train",
		missing, first, string(alphabet().char[first]))
}
