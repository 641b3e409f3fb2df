package bpe

import (
	"encoding/binary"
	"math"
	"math/bits"
)

const (
	cacheBits     = 16
	cacheSlots    = 1 << cacheBits // a word has two slots it may stand in
	maxCachedWord = 15             // bytes; longer words are rare, and seldom come again
	maxCachedIDs  = 3
)

// A wordCache remembers the ids of short words in 2 MB: a word takes the place of an older one. One goroutine uses it at a
// time, so it needs no locks, and it holds no pointers, so a hit is one memory access and the garbage collector has nothing to do.
type wordCache struct{ words [cacheSlots]cachedWord }

// cachedWord is half a cache line; the two slots of a word are one line.
type cachedWord struct {
	key  wordKey
	ids  [maxCachedIDs]int32
	size int32 // number of ids; 0 for an empty slot
}

// A wordKey is the bytes of a short word behind one another, zeros after them, and their number in the last byte.
type wordKey struct{ low, high uint64 }

// keyOf gives the key of text[i:end], at most maxCachedWord bytes. It reads beyond the word where there is more text.
func keyOf(text string, i, end int) wordKey {
	if i+16 > len(text) {
		return keyAtEnd(text[i:end])
	}
	n := end - i
	low := load8(text[i:i+8]) & (math.MaxUint64 >> (64 - 8*min(n, 8)))
	high := load8(text[i+8:i+16]) & (math.MaxUint64 >> (64 - 8*max(n-8, 0)))
	return wordKey{low, high | uint64(n)<<56}
}

// keyAtEnd gives the key of a word that has less than 16 bytes of text from its start on.
func keyAtEnd(word string) wordKey {
	var padded [16]byte
	copy(padded[:], word)
	padded[15] = byte(len(word))
	return wordKey{binary.LittleEndian.Uint64(padded[:8]), binary.LittleEndian.Uint64(padded[8:])}
}

// load8 reads 8 bytes, the first one lowest; the compiler makes one load of it.
func load8(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// slot gives the slot of a key: multiplicative hashing (Knuth, The Art of Computer Programming, volume 3, section 6.4) of its
// two halves, the multipliers being odd. A text made to collide costs its own encoding time and nothing else.
func (k wordKey) slot() uint64 {
	h := k.low ^ bits.RotateLeft64(k.high*0x9E3779B97F4A7C15, 29)
	return h * 0x9E3779B97F4A7C15 >> (64 - cacheBits)
}

// find gives a word's entry, nil if it is not known.
func (c *wordCache) find(k wordKey) *cachedWord {
	slot := k.slot() % cacheSlots
	if w := &c.words[slot]; w.key == k {
		return w
	}
	if w := &c.words[slot^1]; w.key == k {
		return w
	}
	return nil
}

// put stores a word that was not found. The word that stood in its slot moves to the neighbouring slot. A word of too many ids is
// not stored.
func (c *wordCache) put(k wordKey, ids []int32) {
	if len(ids) > maxCachedIDs {
		return
	}
	slot := k.slot() % cacheSlots
	c.words[slot^1] = c.words[slot]
	w := &c.words[slot]
	w.key, w.size = k, int32(len(ids))
	copy(w.ids[:], ids)
}
