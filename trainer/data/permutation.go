package data

import "math/bits"

// permutation is a random-looking order of the numbers below n that is computed, not stored: a Feistel network over the
// next even power of two, walked until it lands below n (fewer than four steps on average).
type permutation struct {
	n    uint64
	half uint // bits in each half
	keys [4]uint64
}

func newPermutation(n int64, seed uint64, epoch int) permutation {
	width := max(bits.Len64(uint64(n-1)), 2)
	p := permutation{n: uint64(n), half: uint(width+1) / 2}
	for i := range p.keys {
		p.keys[i] = mix(mix(seed, uint64(epoch)), uint64(i))
	}
	return p
}

// at gives the number in place i, 0 <= i < n.
func (p *permutation) at(i int64) int64 {
	mask := uint64(1)<<p.half - 1
	x := uint64(i)
	for {
		left, right := x>>p.half, x&mask
		for _, key := range p.keys {
			left, right = right, left^mix(key, right)&mask
		}
		if x = left<<p.half | right; x < p.n {
			return int64(x)
		}
	}
}
