package ref

import "atoll/kernels"

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

// Widen is x, in the bits of bf16 or fp16, as float32.
func Widen(x []uint16, precision kernels.DType) []float32 {
	wide := make([]float32, len(x))
	for i, bits := range x {
		if precision == kernels.BF16 {
			wide[i] = kernels.FromBF16(bits)
		} else {
			wide[i] = kernels.FromF16(bits)
		}
	}
	return wide
}

// Narrow rounds x to the bits of bf16 or fp16, to nearest, ties to even.
func Narrow(x []float32, precision kernels.DType) []uint16 {
	bits := make([]uint16, len(x))
	for i, v := range x {
		if precision == kernels.BF16 {
			bits[i] = kernels.ToBF16(v)
		} else {
			bits[i] = kernels.ToF16(v)
		}
	}
	return bits
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
