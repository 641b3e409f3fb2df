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
