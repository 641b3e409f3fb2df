package ref

import (
	"math"

	"atoll/kernels"
)

// Pack lays w [I,O], or w [O,I] where transposed, out in a format: kernels.Format says how. In int8 a column's scale is its largest
// magnitude over 127.
func Pack(packed []int32, w []float32, I, O int, transposed bool, format kernels.Format) {
	clear(packed)
	if format == kernels.PackedTwice {
		packTwice(packed, w, I, O, transposed)
		return
	}
	column := make([]float32, I)
	for o := range O {
		for i := range column {
			if transposed {
				column[i] = w[o*I+i]
			} else {
				column[i] = w[i*O+o]
			}
		}
		packColumn(packedColumn(packed, I, o, format), column, format)
	}
}

// packedColumn is the part of packed that begins with the first word of column o; its next word is PanelWidth further on. It is nil
// where a column has no words.
func packedColumn(packed []int32, I, o int, format kernels.Format) []int32 {
	const width = kernels.PanelWidth
	if len(packed) == 0 {
		return nil
	}
	return packed[o/width*int(format.PanelWords(int64(I)))+o%width:]
}

func packColumn(words []int32, column []float32, format kernels.Format) {
	const width = kernels.PanelWidth
	switch format {
	case kernels.PackedF32:
		for i, v := range column {
			words[i*width] = int32(math.Float32bits(v))
		}
	case kernels.PackedBF16:
		for i, v := range column {
			words[i/2*width] |= int32(uint32(kernels.ToBF16(v)) << (i % 2 * 16))
		}
	case kernels.PackedI8:
		whole := make([]int8, len(column))
		words[0] = int32(math.Float32bits(Quantize(whole, column)))
		for i, q := range whole {
			words[(1+i/4)*width] |= int32(uint32(uint8(q)) << (i % 4 * 8))
		}
	}
}

// leastQuantized is the magnitude below which a row or a column counts as zeros: 127 over it is still a number.
const leastQuantized = 0x1p-120

// Quantize sets q to the whole numbers nearest to x over the scale that it gives: the largest magnitude of x over 127. The scale
// is NaN, and all of q zero, where x holds a number that is not finite. Every step is rounded to float32, so that all devices agree.
func Quantize(q []int8, x []float32) (scale float32) {
	clear(q)
	largest := float32(0)
	for _, v := range x {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return float32(math.NaN())
		}
		largest = max(largest, float32(math.Abs(float64(v))))
	}
	if largest < leastQuantized {
		return 0
	}
	inverse := float32(127 / largest)
	for i, v := range x {
		q[i] = int8(math.RoundToEven(float64(float32(v * inverse))))
	}
	return float32(largest / 127)
}

// LinearPacked gives y = gelu?(x·w + b) + res for x [N,I] and a w [I,O] that Pack has laid out. In int8 each row of x is
// quantized, and what is summed are whole numbers. pre, as Linear's, b and res may be nil.
func LinearPacked(y, pre, x []float32, packed []int32, b, res []float32, N, I, O int, gelu bool, format kernels.Format, precision kernels.DType) {
	w, scales := unpack(packed, I, O, format)
	quantized := make([]int8, I)
	for n := range N {
		row, scale := x[n*I:(n+1)*I], float32(1)
		if format == kernels.PackedI8 {
			scale = Quantize(quantized, row)
			row = make([]float32, I)
			for i, q := range quantized {
				row[i] = float32(q)
			}
		}
		for o := range O {
			value := dot(row, w[o*I:(o+1)*I]) * float64(scale) * float64(scales[o])
			if b != nil {
				value += float64(b[o])
			}
			if pre != nil {
				pre[n*O+o] = float32(value)
			}
			if gelu {
				value = GELU(float64(Round(float32(value), precision)))
			}
			if res != nil {
				value += float64(res[n*O+o])
			}
			y[n*O+o] = float32(value)
		}
	}
}

// unpack gives the numbers of a packed weight as [O,I], and what each column of w is multiplied by.
func unpack(packed []int32, I, O int, format kernels.Format) (w, scales []float32) {
	const width = kernels.PanelWidth
	w, scales = make([]float32, O*I), make([]float32, O)
	if format == kernels.PackedTwice {
		unpackTwice(w, scales, packed, I, O)
		return w, scales
	}
	for o := range O {
		words := packedColumn(packed, I, o, format)
		scales[o] = 1
		if format == kernels.PackedI8 {
			scales[o] = math.Float32frombits(uint32(words[0]))
		}
		for i := range I {
			switch format {
			case kernels.PackedF32:
				w[o*I+i] = math.Float32frombits(uint32(words[i*width]))
			case kernels.PackedBF16:
				w[o*I+i] = kernels.FromBF16(uint16(uint32(words[i/2*width]) >> (i % 2 * 16)))
			case kernels.PackedI8:
				w[o*I+i] = float32(int8(uint32(words[(1+i/4)*width]) >> (i % 4 * 8)))
			}
		}
	}
	return w, scales
}

func runPack(a *arguments) error {
	Pack(a.int("packed"), a.float("w"), a.dim("I"), a.dim("O"), a.flag("transposed"), kernels.Format(a.dim("format")))
	return nil
}

func runLinearPacked(a *arguments) error {
	LinearPacked(a.float("y"), a.float("pre"), a.float("x"), a.int("packed"), a.float("b"), a.float("res"), a.dim("N"), a.dim("I"), a.dim("O"),
		a.flag("gelu"), kernels.Format(a.dim("format")), a.call.Precision)
	return nil
}
