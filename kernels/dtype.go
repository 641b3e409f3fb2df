package kernels

import (
	"fmt"
	"math"
)

// DType is the type of a tensor's elements.
type DType uint32

// The element types. Their numbers are part of the C interface.
const (
	F32 DType = iota
	BF16
	F16
	I32
)

// Size is the bytes of one element.
func (d DType) Size() int {
	if d == BF16 || d == F16 {
		return 2
	}
	return 4
}

func (d DType) String() string {
	switch d {
	case F32:
		return "fp32"
	case BF16:
		return "bf16"
	case F16:
		return "fp16"
	case I32:
		return "int32"
	}
	return fmt.Sprintf("dtype(%d)", uint32(d))
}

// ToBF16 rounds x to the nearest bfloat16, ties to even; a NaN stays a NaN.
func ToBF16(x float32) uint16 {
	bits := math.Float32bits(x)
	if bits&0x7fffffff > 0x7f800000 {
		return uint16(bits>>16) | 0x40 // quiet, so that truncation cannot turn it into an infinity
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}

// FromBF16 is exact.
func FromBF16(x uint16) float32 { return math.Float32frombits(uint32(x) << 16) }

// ToF16 rounds x to the nearest IEEE half, ties to even; what is too large becomes an infinity.
func ToF16(x float32) uint16 {
	bits := math.Float32bits(x)
	sign := uint16(bits >> 16 & 0x8000)
	magnitude := bits & 0x7fffffff
	switch {
	case magnitude > 0x7f800000:
		return sign | 0x7e00
	case magnitude >= 0x477ff000: // 65520, halfway to the first value that is too large
		return sign | 0x7c00
	case magnitude >= 0x38800000: // normal in half
		return sign | uint16((magnitude-0x38000000+0xfff+magnitude>>13&1)>>13)
	}
	// Subnormal: the sum with 0.5 rounds at half's smallest step, 2^-24, in hardware.
	rounded := math.Float32frombits(magnitude) + 0.5
	return sign | uint16(math.Float32bits(rounded)-0x3f000000)
}

// FromF16 is exact.
func FromF16(x uint16) float32 {
	sign, exponent, fraction := uint32(x&0x8000)<<16, uint32(x>>10&31), uint32(x&0x3ff)
	switch exponent {
	case 0:
		value := float32(fraction) * (1.0 / (1 << 24))
		return math.Float32frombits(math.Float32bits(value) | sign)
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}
