// Package bpe is byte-level byte-pair encoding as GPT-2 defines it: text goes in, token ids come out, and back.
//
// A Tokenizer comes from GPT2 (GPT-2's own vocabulary, built in), Bytes (one id a byte), Train (learned from a
// corpus) or Load (a Hugging Face tokenizer.json, or a vocab.json with its merges.txt). Its vocabulary always holds all
// 256 bytes, so every byte string, valid UTF-8 or not, can be encoded, and decoding gives exactly the same bytes.
//
// Encoding cannot fail. Errors appear where something from outside is read: a tokenizer file that is damaged or asks
// for what GPT-2's tokenizer does not do is refused (Load, Parse), and so is an id outside the vocabulary (Decode).
package bpe

import (
	"slices"
	"sync"
)

// endOfText is the content of the token that begins each document, in GPT-2's vocabulary and in those trained here.
const endOfText = "<|endoftext|>"

// A Tokenizer maps byte strings to ids and back. It is immutable but for a cache of encoded words, and any number of
// goroutines may use it at once.
type Tokenizer struct {
	tokens    []string   // bytes of each id; "" where the vocabulary has a gap
	bytes     [256]int32 // id of each single byte
	rules     []rule     // merge rules, the first to be applied first
	merged    []int32    // id that each rule makes, apart from the rest since it is all that merging needs
	pairs     pairTable  // rank of the rule that merges a pair
	bytePairs []uint32   // the same for two single bytes, first byte times 256 plus second; half of all look-ups
	added     []addedToken
	eot       int32
	classes   *classTable
	cuts      *cutTable
	caches    sync.Pool // *wordCache
	scratch   sync.Pool // *longWord
}

// A rule merges two neighbouring tokens into one.
type rule struct{ left, right, merged int32 }

// An addedToken is matched as a whole in EncodeWithSpecial; merges never make it.
type addedToken struct {
	id      int32
	content string
	special bool // kept for writing: Hugging Face can leave special tokens out when decoding
}

// newTokenizer indexes a vocabulary that holds all bytes. tokens[i] are the bytes of id i, the added tokens' included.
func newTokenizer(tokens []string, rules []rule, added []addedToken, eot int32) *Tokenizer {
	t := &Tokenizer{tokens: tokens, rules: rules, added: added, eot: eot, classes: unicodeClasses()}
	t.indexBytes()
	if len(rules) == 0 {
		return t // Encode needs nothing more
	}
	t.pairs, t.merged = newPairTable(len(rules)), make([]int32, len(rules))
	for rank, r := range rules {
		t.pairs.set(r.left, r.right, uint32(rank))
		t.merged[rank] = r.merged
	}
	t.bytePairs = make([]uint32, 1<<16)
	for k := range t.bytePairs {
		t.bytePairs[k] = t.pairs.rank(t.bytes[k>>8], t.bytes[k&0xFF])
	}
	t.cuts = newCutTable(tokens, rules)
	t.caches.New = func() any { return new(wordCache) }
	t.scratch.New = func() any { return new(longWord) }
	return t
}

// indexBytes finds the id of each single byte. An added token of one byte is taken only where there is no other.
func (t *Tokenizer) indexBytes() {
	for _, a := range t.added {
		if len(a.content) == 1 {
			t.bytes[a.content[0]] = a.id
		}
	}
	isAdded := func(id int) bool {
		return slices.ContainsFunc(t.added, func(a addedToken) bool { return int(a.id) == id })
	}
	for id, token := range t.tokens {
		if len(token) == 1 && !isAdded(id) {
			t.bytes[token[0]] = int32(id)
		}
	}
}

// VocabSize is the number of rows an embedding needs: the largest id plus one.
func (t *Tokenizer) VocabSize() int { return len(t.tokens) }

// EndOfText is the id of the token that separates documents, <|endoftext|> in GPT-2.
func (t *Tokenizer) EndOfText() int32 { return t.eot }

// Token gives the bytes of one id, and false where the vocabulary has no such id.
func (t *Tokenizer) Token(id int32) (string, bool) {
	if id < 0 || int(id) >= len(t.tokens) || t.tokens[id] == "" {
		return "", false
	}
	return t.tokens[id], true
}
