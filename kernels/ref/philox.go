package ref

import "math/bits"

// Philox is Philox 4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011): four words of
// random bits for each counter under a key.
func Philox(key [2]uint32, counter [4]uint32) [4]uint32 {
	const (
		multiplier0, multiplier1 = 0xD2511F53, 0xCD9E8D57
		weyl0, weyl1             = 0x9E3779B9, 0xBB67AE85
		rounds                   = 10
	)
	for range rounds {
		high0, low0 := bits.Mul32(multiplier0, counter[0])
		high1, low1 := bits.Mul32(multiplier1, counter[2])
		counter = [4]uint32{high1 ^ counter[1] ^ key[0], low1, high0 ^ counter[3] ^ key[1], low0}
		key[0] += weyl0
		key[1] += weyl1
	}
	return counter
}

// Word is the random word of element index of the dropout or rounding named by salt. The key is seed[0], seed[1]; the counter is
// (index/4 low word, index/4 high word, salt, 0); the lane of the result is index mod 4.
func Word(seed []int32, salt int, index uint64) uint32 {
	group := index / 4
	words := Philox([2]uint32{uint32(seed[0]), uint32(seed[1])}, [4]uint32{uint32(group), uint32(group >> 32), uint32(salt), 0})
	return words[index%4]
}

// Keep says whether element index of the dropout named by salt stays under probability p of being dropped: where its word is at
// least uint32(p * 2^32).
func Keep(seed []int32, salt int, index uint64, p float32) bool {
	return Word(seed, salt, index) >= uint32(float64(p)*(1<<32))
}

// dropoutFactor is what element index is multiplied by: 0 where dropped, else 1/(1-p) in float32. Without a seed
// nothing is dropped.
func dropoutFactor(seed []int32, salt int, index uint64, p float32) float64 {
	if seed == nil {
		return 1
	}
	if !Keep(seed, salt, index, p) {
		return 0
	}
	return float64(1 / (1 - p))
}
