package kernels

import (
	"math"
	"testing"
)

// halfFormat describes a half-precision type for tests that hold its conversions against arithmetic in float64.
type halfFormat struct {
	name                   string
	to                     func(float32) uint16
	from                   func(uint16) float32
	exponentBits, fraction int
}

func halfFormats() []halfFormat {
	return []halfFormat{{"bf16", ToBF16, FromBF16, 8, 7}, {"fp16", ToF16, FromF16, 5, 10}}
}

// decode is the value of bits by the definition of IEEE 754.
func (f halfFormat) decode(bits uint16) float64 {
	sign := 1 - 2*float64(bits>>15)
	exponent := int(bits>>f.fraction) & (1<<f.exponentBits - 1)
	fraction := float64(bits&(1<<f.fraction-1)) / float64(int(1)<<f.fraction)
	bias := 1<<(f.exponentBits-1) - 1
	switch {
	case exponent == 1<<f.exponentBits-1 && fraction != 0:
		return math.NaN()
	case exponent == 1<<f.exponentBits-1:
		return sign * math.Inf(1)
	case exponent == 0:
		return sign * math.Ldexp(fraction, 1-bias)
	}
	return sign * math.Ldexp(1+fraction, exponent-bias)
}

func TestEveryHalfPrecisionValue(t *testing.T) {
	for _, f := range halfFormats() {
		for i := range 1 << 16 {
			bits := uint16(i)
			want, got := f.decode(bits), f.from(bits)
			if math.IsNaN(want) {
				if back := f.to(got); got == got || !math.IsNaN(f.decode(back)) {
					t.Fatalf("%s %04x is a NaN: it becomes %v and %04x", f.name, bits, got, back)
				}
				continue
			}
			if float64(got) != want || math.Signbit(float64(got)) != (bits>>15 == 1) {
				t.Fatalf("%s %04x is %v, want %v", f.name, bits, got, want)
			}
			if back := f.to(got); back != bits {
				t.Fatalf("%s %04x comes back as %04x", f.name, bits, back)
			}
		}
	}
}

// Between each two neighbours: just below the middle goes down, the middle to the even one, just above goes up.
func TestHalfPrecisionRounding(t *testing.T) {
	for _, f := range halfFormats() {
		infinity := uint16(1<<f.exponentBits-1) << f.fraction
		for low := uint16(0); low < infinity; low++ {
			high := low + 1
			middle := (f.decode(low) + f.decode(high)) / 2
			if high == infinity { // the step goes on as if there were one more exponent
				middle = f.decode(low) + (f.decode(low)-f.decode(low-1))/2
			}
			even := low + low&1
			for sign := range uint16(2) {
				at := float32(middle) * (1 - 2*float32(sign))
				f.expect(t, at, even|sign<<15)
				f.expect(t, math.Nextafter32(at, 0), low|sign<<15)
				f.expect(t, math.Nextafter32(at, at*2), high|sign<<15)
			}
		}
	}
}

func (f halfFormat) expect(t *testing.T, x float32, want uint16) {
	t.Helper()
	if got := f.to(x); got != want {
		t.Fatalf("%s of %v (%08x) is %04x, want %04x", f.name, x, math.Float32bits(x), got, want)
	}
}

func TestHalfPrecisionKnownValues(t *testing.T) {
	infinity := float32(math.Inf(1))
	tests := []struct {
		x         float32
		bf16, f16 uint16
	}{
		{0, 0, 0}, {float32(math.Copysign(0, -1)), 0x8000, 0x8000}, {1, 0x3f80, 0x3c00}, {-2, 0xc000, 0xc000},
		{math.Pi, 0x4049, 0x4248}, {65504, 0x4780, 0x7bff}, {65519.996, 0x4780, 0x7bff}, {65520, 0x4780, 0x7c00},
		{math.MaxFloat32, 0x7f80, 0x7c00}, {infinity, 0x7f80, 0x7c00}, {-infinity, 0xff80, 0xfc00},
		{5.9604645e-08, 0x3380, 0x0001}, {2.9802322e-08, 0x3300, 0x0000}, {math.SmallestNonzeroFloat32, 0x0000, 0x0000},
	}
	for _, test := range tests {
		if bf16, f16 := ToBF16(test.x), ToF16(test.x); bf16 != test.bf16 || f16 != test.f16 {
			t.Errorf("%v is bf16 %04x and fp16 %04x, want %04x and %04x", test.x, bf16, f16, test.bf16, test.f16)
		}
	}
}

func TestDType(t *testing.T) {
	tests := []struct {
		dtype DType
		size  int
		name  string
	}{{F32, 4, "fp32"}, {BF16, 2, "bf16"}, {F16, 2, "fp16"}, {I32, 4, "int32"}, {9, 4, "dtype(9)"}}
	for _, test := range tests {
		if test.dtype.Size() != test.size || test.dtype.String() != test.name {
			t.Errorf("%v has %d bytes, want %s with %d", test.dtype, test.dtype.Size(), test.name, test.size)
		}
	}
}
