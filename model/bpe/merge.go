package bpe

import "math"

// noRank is the rank of a pair that no rule merges.
const noRank = math.MaxUint32

// maxShort is the length in bytes up to which a word is merged by scanning its pairs; the scan is quadratic but needs
// no memory of its own, and is faster for such words than a heap.
const maxShort = 96

// A pairTable maps a pair of ids to the rank of the rule that merges it: open addressing with linear probing, never
// more than half full, one word a slot so that a look-up touches one cache line. It is several times faster here than
// Go's map.
type pairTable struct {
	slots []uint64 // left id in 21 bits, right id in 21, rank+1 in 22; 0 is an empty slot
	shift uint
}

const rankBits = 22

func newPairTable(n int) pairTable {
	bits := uint(4)
	for 1<<bits < 2*n {
		bits++
	}
	return pairTable{slots: make([]uint64, 1<<bits), shift: 64 - bits}
}

// slot gives the place of a pair, or the empty slot where it would go. The multiplier is 2^64 divided by the golden
// ratio (Knuth, The Art of Computer Programming, volume 3, section 6.4).
func (p *pairTable) slot(left, right int32) (i, key uint64) {
	key = uint64(left)<<21 | uint64(right)
	mask := uint64(len(p.slots) - 1)
	i = key * 0x9E3779B97F4A7C15 >> p.shift
	for p.slots[i&mask] != 0 && p.slots[i&mask]>>rankBits != key {
		i++
	}
	return i & mask, key
}

// set gives a pair its rank; a pair that stands twice in a list of rules keeps its last, as in Hugging Face.
func (p *pairTable) set(left, right int32, rank uint32) {
	i, key := p.slot(left, right)
	p.slots[i] = key<<rankBits | uint64(rank+1)
}

// rank gives a pair's rank, noRank if no rule merges it.
func (p *pairTable) rank(left, right int32) uint32 {
	i, _ := p.slot(left, right)
	return uint32(p.slots[i]&(1<<rankBits-1)) - 1 // an empty slot gives 0-1, which is noRank
}

// appendMerged appends the ids of one word: its bytes, then the rule of lowest rank applied, leftmost first, until
// none applies.
func (t *Tokenizer) appendMerged(dst []int32, word string) []int32 {
	if len(word) > maxShort {
		return t.appendMergedLong(dst, word)
	}
	var ranks [maxShort]uint32 // ranks[i] is that of ids i and i+1; the last is noRank
	start, last := len(dst), len(word)-1
	for i := range last {
		dst = append(dst, t.bytes[word[i]])
		ranks[i] = t.bytePairs[int(word[i])<<8|int(word[i+1])]
	}
	dst = append(dst, t.bytes[word[last]])
	ranks[last] = noRank
	return dst[:start+t.mergeShort(dst[start:], ranks[:len(word)])]
}

// mergeShort merges ids in place, given the ranks of their pairs, and gives how many are left.
func (t *Tokenizer) mergeShort(ids []int32, ranks []uint32) int {
	n := len(ids)
	for {
		best, rank := 0, uint32(noRank)
		for i, r := range ranks {
			if r < rank {
				best, rank = i, r
			}
		}
		if rank == noRank {
			return len(ids)
		}
		ids[best] = t.merged[rank]
		copy(ids[best+1:], ids[best+2:])
		copy(ranks[best+1:], ranks[best+2:])
		n--
		ids, ranks = ids[:n], ranks[:n]
		ranks[best] = noRank
		if best+1 < n {
			ranks[best] = t.pairs.rank(ids[best], ids[best+1])
		}
		if best > 0 {
			ranks[best-1] = t.pairs.rank(ids[best-1], ids[best])
		}
	}
}
