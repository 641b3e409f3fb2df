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
	// All tokens are parts of one string: 50,000 strings of their own would double the time to start.
	text := make([]byte, 0, 1<<19)
	start := make([]int, 0, 1<<16) // of token id in text; it ends where the next begins
	for _, b := range alphabet().order {
		start = append(start, len(text))
		text = append(text, b)
	}
	start = append(start, len(text))
	rules := make([]rule, len(gpt2Merges)/4)
	for k := range rules {
		pair := []byte(gpt2Merges[4*k : 4*k+4])
		left, right := binary.LittleEndian.Uint16(pair), binary.LittleEndian.Uint16(pair[2:])
		rules[k] = rule{int32(left), int32(right), int32(256 + k)}
		text = append(text, text[start[left]:start[left+1]]...)
		text = append(text, text[start[right]:start[right+1]]...)
		start = append(start, len(text))
	}
	tokens, all := make([]string, len(start)-1, len(start)), string(text)
	for id := range tokens {
		tokens[id] = all[start[id]:start[id+1]]
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
