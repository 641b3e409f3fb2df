package bpe

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync/atomic"
)

const (
	cacheSlots    = 1 << 16 // a word has two slots it may stand in
	maxCachedWord = 48      // bytes; longer words seldom come again
)

// A wordCache remembers the ids of words. Its size is fixed: a word takes the place of an older one. It needs no locks: an
// entry never changes once it is stored. A word is stored when it is seen a second time, so that a text of words that
// never come again (Chinese, which has no spaces) neither allocates nor drives out the words that do.
type wordCache struct {
	seed  maphash.Seed
	words []atomic.Pointer[cachedWord]
	seen  []atomic.Uint32 // part of the hash of the word last missed in a slot
}

type cachedWord struct {
	word string
	ids  []int32
}

func newWordCache() wordCache {
	return wordCache{
		seed:  maphash.MakeSeed(),
		words: make([]atomic.Pointer[cachedWord], cacheSlots),
		seen:  make([]atomic.Uint32, cacheSlots),
	}
}

// get gives the ids of a word, nil if they are not known, and the word's hash for put.
func (c *wordCache) get(word string) (ids []int32, hash uint64) {
	hash = maphash.String(c.seed, word)
	slot := hash % cacheSlots
	if w := c.words[slot].Load(); w != nil && w.word == word {
		return w.ids, hash
	}
	if w := c.words[slot^1].Load(); w != nil && w.word == word {
		return w.ids, hash
	}
	return nil, hash
}

// put stores a copy of a word and its ids if the word was put before. The word that stood in its slot moves to the
// neighbouring slot.
func (c *wordCache) put(hash uint64, word string, ids []int32) {
	slot, mark := hash%cacheSlots, uint32(hash>>32)
	if c.seen[slot].Swap(mark) != mark {
		return
	}
	old := c.words[slot].Swap(&cachedWord{word: strings.Clone(word), ids: slices.Clone(ids)})
	if old != nil {
		c.words[slot^1].Store(old)
	}
}
