package ref

import (
	"math"
	"testing"
)

// The vectors are philox4x32-10 of Random123's kat_vectors file (D. E. Shaw Research).
func TestPhiloxKnownAnswers(t *testing.T) {
	tests := []struct {
		key     [2]uint32
		counter [4]uint32
		want    [4]uint32
	}{
		{[2]uint32{0, 0}, [4]uint32{0, 0, 0, 0}, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{[2]uint32{0xffffffff, 0xffffffff}, [4]uint32{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
			[4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{[2]uint32{0xa4093822, 0x299f31d0}, [4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
			[4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	}
	for _, test := range tests {
		if got := Philox(test.key, test.counter); got != test.want {
			t.Errorf("Philox(%x, %x) = %x, want %x", test.key, test.counter, got, test.want)
		}
	}
}

func TestKeepPlaces(t *testing.T) {
	seed := []int32{7, -9}
	const index = uint64(5)<<34 + 4*77 + 2 // its counter is (77, 5, salt, 0)
	word := Philox([2]uint32{7, 0xfffffff7}, [4]uint32{77, 5, 3, 0})[2]
	p := float64(word) / (1 << 32)
	below, above := float32(p*0.999), float32(p*1.001)
	if !Keep(seed, 3, index, below) || Keep(seed, 3, index, above) {
		t.Errorf("Keep does not use word %d (%08x) of the counter: below %v, above %v", index%4, word,
			Keep(seed, 3, index, below), Keep(seed, 3, index, above))
	}
}

func TestKeepShare(t *testing.T) {
	const n, p = 100_000, 0.3
	kept := 0
	for i := range n {
		if Keep([]int32{1, 2}, 0, uint64(i), p) {
			kept++
		}
	}
	// Five standard deviations of a binomial.
	if off := math.Abs(float64(kept) - n*(1-p)); off > 5*math.Sqrt(n*p*(1-p)) {
		t.Errorf("%d of %d kept at p=%v", kept, n, p)
	}
}
