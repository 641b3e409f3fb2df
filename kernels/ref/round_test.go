package ref

import (
	"math"
	"testing"
)

// Of all 65,536 upper halves of a word, as many round a number up as its own lower half says: no more, no fewer.
func TestRoundByChanceIsUnbiased(t *testing.T) {
	const all = 1 << 16
	for _, bits := range []uint32{0x3f800000, 0x3f800001, 0x3f80ffff, 0xbf8a8000, 0x3fff8001, 0x00000007, 0x80001234, 0x7f7e4321} {
		x := math.Float32frombits(bits)
		low, up := math.Float32frombits(bits&^0xffff), math.Float32frombits(bits&^0xffff+all)
		count := uint32(0)
		for word := range uint32(all) {
			switch got := RoundByChance(x, word<<16|0xbeef); got {
			case up:
				count++
			case low:
			default:
				t.Fatalf("%v is rounded to %v, want %v or %v", x, got, low, up)
			}
		}
		if count != bits&0xffff {
			t.Errorf("%v (%#x) is rounded up by %d of %d words, want %d", x, bits, count, all, bits&0xffff)
		}
	}
}

// What is no number of fp32's middle: the right column is what comes out whatever the word.
func TestRoundByChanceAtTheEnds(t *testing.T) {
	for _, c := range [][2]uint32{
		{0x00000000, 0x00000000}, {0x80000000, 0x80000000}, {0x3f810000, 0x3f810000},
		{0x7f7f0000, 0x7f7f0000}, {0x7f7f0001, 0x7f7f0000}, {0x7f7fffff, 0x7f7f0000}, {0xff7fffff, 0xff7f0000}, // never infinity
		{0x7f800000, 0x7f800000}, {0xff800000, 0xff800000}, // infinity stays
		{0x7f800001, 0x7fc00000}, {0x7fffffff, 0x7fff0000}, {0xffc12345, 0xffc10000}, // NaN stays one
	} {
		for _, word := range []uint32{0, 1 << 16, 1 << 31, math.MaxUint32} {
			if got := math.Float32bits(RoundByChance(math.Float32frombits(c[0]), word)); got != c[1] {
				t.Errorf("%#x with word %#x gives %#x, want %#x", c[0], word, got, c[1])
			}
		}
	}
}
