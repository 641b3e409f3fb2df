package bpe

import (
	_ "embed"
	"encoding/binary"
	"sync"
)

// gpt2Merges holds GPT-2's merge rules as pairs of little-endian uint16 ids; rule k makes id 256+k. It is derived from
// OpenAI's vocab.bpe (MIT licence, LICENSE-gpt2) by testdata/make_gpt2.py.
//
//go:embed gpt2.merges
var gpt2Merges string

// gpt2 makes GPT-2's tokenizer on first use.
var gpt2 = sync.OnceValue(func() *Tokenizer {
	pairs := make([][2]int32, len(gpt2Merges)/4)
	for k := range pairs {
		at := []byte(gpt2Merges[4*k : 4*k+4])
		pairs[k] = [2]int32{int32(binary.LittleEndian.Uint16(at)), int32(binary.LittleEndian.Uint16(at[2:]))}
	}
	tokens := make([]string, 0, 256+len(pairs)+1)
	for _, b := range alphabet().order {
		tokens = append(tokens, string([]byte{b}))
	}
	rules := make([]rule, len(pairs))
	for k, p := range pairs {
		rules[k] = rule{p[0], p[1], int32(len(tokens))}
		tokens = append(tokens, tokens[p[0]]+tokens[p[1]])
	}
	return withEndOfText(tokens, rules)
})

// GPT2 is GPT-2's own tokenizer: 50,257 ids, of which 50256 is <|endoftext|>. All callers share one.
func GPT2() *Tokenizer { return gpt2() }

// Bytes is the tokenizer that merges nothing: ids 0 to 255 are the bytes, 256 is <|endoftext|>.
func Bytes() *Tokenizer {
	tokens := make([]string, 256)
	for b := range tokens {
		tokens[b] = string([]byte{byte(b)})
	}
	return withEndOfText(tokens, nil)
}

// withEndOfText makes a tokenizer of a vocabulary that is known to hold all bytes, with <|endoftext|> as its last id.
func withEndOfText(tokens []string, rules []rule) *Tokenizer {
	eot := int32(len(tokens))
	added := []addedToken{{id: eot, content: endOfText, special: true}}
	return newTokenizer(append(tokens, endOfText), rules, added, eot)
}
