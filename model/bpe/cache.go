package bpe

import (
	"hash/maphash"
	"sync/atomic"
)

const (
	cacheSlots    = 1 << 16 // a word has two slots it may stand in
	maxCachedWord = 30      // bytes; longer words seldom come again
	maxCachedIDs  = 8
)

// A wordCache remembers the ids of words. It holds 5 MB at most: a word takes the place of an older one. It needs no
// locks: an entry never changes once it is stored. A word is stored when it is seen a second time, so that a text of words that
// never come again (Chinese, which has no spaces) neither allocates nor drives out the words that do.
type wordCache struct {
	seed  maphash.Seed
	words []atomic.Pointer[cachedWord]
	seen  []atomic.Uint32 // part of the hash of the word last missed in a slot
}

// cachedWord is one cache line and holds no pointer, so a hit costs two memory accesses and the garbage collector nothing.
type cachedWord struct {
	ids       [maxCachedIDs]int32
	word      [maxCachedWord]byte
	size, len uint8 // bytes of word, number of ids
}

// is tells whether this is the entry of a word.
func (w *cachedWord) is(word string) bool { return w != nil && string(w.word[:w.size]) == word }

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
	if w := c.words[slot].Load(); w.is(word) {
		return w.ids[:w.len], hash
	}
	if w := c.words[slot^1].Load(); w.is(word) {
		return w.ids[:w.len], hash
	}
	return nil, hash
}

// put stores a copy of a word and its ids if the word was put before. The word that stood in its slot moves to the
// neighbouring slot. A word of too many bytes or ids is not stored.
func (c *wordCache) put(hash uint64, word string, ids []int32) {
	if len(word) > maxCachedWord || len(ids) > maxCachedIDs {
		return
	}
	slot, mark := hash%cacheSlots, uint32(hash>>32)
	if c.seen[slot].Swap(mark) != mark {
		return
	}
	w := &cachedWord{size: uint8(len(word)), len: uint8(len(ids))}
	copy(w.word[:], word)
	copy(w.ids[:], ids)
	if old := c.words[slot].Swap(w); old != nil {
		c.words[slot^1].Store(old)
	}
}
