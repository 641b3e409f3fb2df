package bpe

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxWord is the length in bytes above which a word is encoded in pieces, so that a file of one line without spaces needs
// no more than 30 MB to be encoded.
const maxWord = 1 << 20

// Encode appends the ids of text to dst. Nothing in text has a special meaning: "<|endoftext|>" is 13 characters. The ids
// are those of Hugging Face tokenizers and tiktoken, except that a word of more than 1 MiB is cut at a character into
// pieces of up to 1 MiB, which are encoded each for itself.
func (t *Tokenizer) Encode(dst []int32, text string) []int32 {
	if len(t.rules) == 0 {
		for i := range len(text) {
			dst = append(dst, t.bytes[text[i]])
		}
		return dst
	}
	cache := t.caches.Get().(*wordCache)
	for i := 0; i < len(text); {
		end := t.classes.next(text, i)
		for end-i > maxWord {
			cut := i + charactersWithin(text[i:end], maxWord)
			dst = t.appendWord(cache, dst, text, i, cut)
			i = cut
		}
		dst = t.appendWord(cache, dst, text, i, end)
		i = end
	}
	t.caches.Put(cache)
	return dst
}

// appendWord appends the ids of the word text[i:end]. A word that ends in ASCII is seldom made of pieces, so it is first looked
// for as a whole.
func (t *Tokenizer) appendWord(cache *wordCache, dst []int32, text string, i, end int) []int32 {
	if text[end-1] < utf8.RuneSelf && end-i <= maxCachedWord {
		return t.appendPiece(cache, dst, text, i, end)
	}
	for i < end {
		cut := t.cuts.pieceEnd(text, i, end)
		dst = t.appendPiece(cache, dst, text, i, cut)
		i = cut
	}
	return dst
}

// appendPiece appends the ids of the piece text[i:end], from the cache if they are there.
func (t *Tokenizer) appendPiece(cache *wordCache, dst []int32, text string, i, end int) []int32 {
	if end-i == 1 {
		return append(dst, t.bytes[text[i]])
	}
	if end-i > maxCachedWord {
		return t.appendMerged(dst, text[i:end])
	}
	key := keyOf(text, i, end)
	if w := cache.find(key); w != nil {
		return append(dst, w.ids[0], w.ids[1], w.ids[2])[:len(dst)+int(w.size)]
	}
	start := len(dst)
	dst = t.appendMerged(dst, text[i:end])
	cache.put(key, dst[start:])
	return dst
}

// EncodeWithSpecial appends the ids of text to dst, where the added tokens of the vocabulary, <|endoftext|> among them,
// become their one id. The leftmost match is taken, of several at one place the longest. Use it for prompts and files
// that the user wrote, not for text from strangers.
func (t *Tokenizer) EncodeWithSpecial(dst []int32, text string) []int32 {
	next := make([]int, len(t.added)) // where each added token comes next; len(text) if it does not
	for k := range next {
		next[k] = find(text, t.added[k].content, 0)
	}
	for start := 0; start < len(text); {
		best := -1
		for k, at := range next {
			if at < start {
				at = find(text, t.added[k].content, start)
				next[k] = at
			}
			if at < len(text) && (best < 0 || at < next[best] ||
				at == next[best] && len(t.added[k].content) > len(t.added[best].content)) {
				best = k
			}
		}
		if best < 0 {
			return t.Encode(dst, text[start:])
		}
		dst = t.Encode(dst, text[start:next[best]])
		dst = append(dst, t.added[best].id)
		start = next[best] + len(t.added[best].content)
	}
	return dst
}

// find gives where content comes next in text from start on, len(text) if it does not.
func find(text, content string, start int) int {
	if i := strings.Index(text[start:], content); i >= 0 {
		return start + i
	}
	return len(text)
}

// Decode appends the bytes of ids to dst: exactly the bytes that were encoded, which need not be valid UTF-8, as a
// character may be spread over several ids. Added tokens give their content. An id outside the vocabulary is an error.
func (t *Tokenizer) Decode(dst []byte, ids []int32) ([]byte, error) {
	for i, id := range ids {
		token, ok := t.Token(id)
		if !ok {
			return dst, fmt.Errorf("token id %d at position %d is not in the vocabulary of %d ids: "+
				"decode with the tokenizer that the ids were made with", id, i, len(t.tokens))
		}
		dst = append(dst, token...)
	}
	return dst, nil
}
