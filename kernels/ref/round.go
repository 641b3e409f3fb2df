package ref

import (
	"math"

	"atoll/kernels"
)

// Round is x rounded to the nearest number of the precision, ties to even; in fp32 it is x.
func Round(x float32, precision kernels.DType) float32 {
	switch precision {
	case kernels.BF16:
		return kernels.FromBF16(kernels.ToBF16(x))
	case kernels.F16:
		return kernels.FromF16(kernels.ToF16(x))
	}
	return x
}

// RoundByChance is one of the two bf16 numbers around x: the one further from 0 with the probability of x's distance from the
// nearer one, so that the mean over many random words is x. The upper 16 bits of word are added to the lower 16 of x, which are
// then cut off. A bf16 number stays what it is. What lies beyond the largest one becomes that, since the next is infinity; infinity
// stays, and a NaN stays one whatever its bits.
func RoundByChance(x float32, word uint32) float32 {
	const largest, infinity, quiet = 0x7f7f0000, 0x7f800000, 0x00400000
	bits := math.Float32bits(x)
	switch magnitude := bits &^ (1 << 31); {
	case magnitude < largest:
		bits += word >> 16
	case magnitude > infinity:
		bits |= quiet
	}
	return math.Float32frombits(bits &^ 0xffff)
}

// roundAll is a rounded copy of x; in fp32 it is x itself.
func roundAll(x []float32, precision kernels.DType) []float32 {
	if x == nil || precision == kernels.F32 {
		return x
	}
	rounded := make([]float32, len(x))
	for i, v := range x {
		rounded[i] = Round(v, precision)
	}
	return rounded
}

// put stores sum in place, or adds it to what is there.
func put(place *float32, sum float64, accumulate bool) {
	if accumulate {
		sum += float64(*place)
	}
	*place = float32(sum)
}

// putAll is put for a whole tensor; an absent one is left out.
func putAll(places []float32, sums []float64, accumulate bool) {
	for i := range places {
		put(&places[i], sums[i], accumulate)
	}
}
